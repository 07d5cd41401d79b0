"""The commands: words in, text out."""
