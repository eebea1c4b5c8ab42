"""Decisions: one use case per file. Services ask the outside through ports only and keep no state between calls."""
