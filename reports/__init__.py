"""What a comparison looks like: tables as data, and their rendering for the terminal, Markdown, LaTeX and a web page."""
