"""The card of the smallest dataset that a run can train and test on, for tests that make its images themselves."""

CARD = """
name = "tiny"
title = "Tiny streaks"
rain_model = "streak"
kind = "synthetic"
root = "data"
[[layouts]]
name = "folders"
train = { rainy = "train/rainy/{scene}-{n:d}.png", clean = "train/clean/{scene}.png" }
test = { rainy = "test/rainy/{scene}.png", clean = "test/clean/{scene}.png" }
"""
