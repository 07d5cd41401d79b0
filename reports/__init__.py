"""What a comparison looks like: tables as data, rendered for the terminal, Markdown, LaTeX and a web page."""
