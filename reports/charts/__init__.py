"""Charts from plain numbers, one module a kind; each gives a :class:`~..drawing.Drawing`."""
