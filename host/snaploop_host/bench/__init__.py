"""Benches that print ratios against a peer measured in the same run: `snaploop bench NAME [--json]` (design §10)."""
