"""Tables and figures of papers as data, and what was measured beside them."""
