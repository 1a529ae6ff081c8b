"""How fast, how small, how exact? Scripts that measure; each runs as ``python -m benchmarks.NAME``."""
