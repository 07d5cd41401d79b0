"""What a network costs: parameters, multiply-accumulates, time, memory (docs/efficiency.md)."""
