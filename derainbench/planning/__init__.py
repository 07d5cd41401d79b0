"""What a run is asked for, the cells which that makes, what they cost, and carrying them out."""
