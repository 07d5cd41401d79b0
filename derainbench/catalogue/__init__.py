"""The datasets: cards, where their files lie, which belong together, what they are."""
