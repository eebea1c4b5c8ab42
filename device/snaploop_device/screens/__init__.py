"""One file per screen: draw(state, canvas) shows the state, touched(state, event, name, x, y) answers with a command or None.

event is "down", "move", "up" or "tap" (up on the button where the finger came down), name the button at that point ("" for none).
A command is a tuple for app.apply. Screens do no work and change nothing.
"""
