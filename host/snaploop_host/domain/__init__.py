"""Facts: typed values and rules, no I/O; standard library, NumPy and snaploop_shared only."""
