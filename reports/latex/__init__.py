"""LaTeX: tables, a document that compiles, a bibliography."""
