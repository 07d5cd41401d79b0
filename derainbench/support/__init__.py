"""What every room builds on: whole files, locks, the cache folder, TOML, worker processes, progress, words."""
