"""The board app: photograph, label, sync, detect. MicroPython 1.21 on a K230, and the same files under CPython in the tests."""

APP_VERSION = "0.1.0"
