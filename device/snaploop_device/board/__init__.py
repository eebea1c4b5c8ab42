"""The edge to the hardware: ports.py says what the app needs, k230_*.py is the real board (the only files that import hardware)."""
