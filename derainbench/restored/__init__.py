"""Folders of restored images that somebody made: which file is of which test pair, and what is wrong with them."""
