"""`python -m snaploop_host` is the `snaploop` command."""

from .cli.main import main

main()
