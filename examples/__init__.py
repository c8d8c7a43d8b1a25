"""Makes the examples importable, so that each one runs as ``python -m examples.<name>``."""
