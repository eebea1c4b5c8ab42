"""The CanMV media package of the virtual board."""
