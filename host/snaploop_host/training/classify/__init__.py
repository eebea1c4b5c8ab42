"""Image classification: one class per photo."""
