"""What finding text and reading text share: quads, crops, and a training loop in plain torch."""
