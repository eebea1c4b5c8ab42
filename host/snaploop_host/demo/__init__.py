"""The loop on a virtual board, driven through its touch panel only: `snaploop demo`. Uses the real commands as a person would."""
