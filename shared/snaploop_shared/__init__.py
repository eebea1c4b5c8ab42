"""The contract between board and host: frames, link, messages, records, model slots. Runs on CPython and MicroPython, does no I/O."""
