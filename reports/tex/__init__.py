"""TeX's words: text as LaTeX shows it, and BibTeX entries."""
