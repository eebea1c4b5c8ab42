"""snaploop's host: store, links to boards, training, compiling, services, dashboard and command line."""

__version__ = "0.1.0"
