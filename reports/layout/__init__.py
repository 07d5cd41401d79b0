"""What two formats share: panels that fit, lines of statistics and of published tables."""
