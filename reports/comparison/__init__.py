"""The comparison as plain data: rows, scores, marks, and what may be concluded."""
