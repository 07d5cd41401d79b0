"""A leaderboard: a static site of run folders and submissions, and what a submission is."""
