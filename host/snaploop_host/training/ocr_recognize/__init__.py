"""Reading text: one line of it at a time, character by character."""
