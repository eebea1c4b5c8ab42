"""The roads to boards that need a library of their own: serial ports (pyserial) and installing (mpremote)."""
