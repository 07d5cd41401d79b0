"""What is read as text: the terminal, Markdown, CSV."""
