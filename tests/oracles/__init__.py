"""The networks written for clarity: the oracle in tests, the denominator in benchmarks. Nothing here is fast."""
