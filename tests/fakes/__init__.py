"""Working stand-ins for the other side of an interface."""
