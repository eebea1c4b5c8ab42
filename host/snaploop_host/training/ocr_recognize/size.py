"""The shape of the network's input and answer. Apart from the network, so that checking labels needs no torch."""

HEIGHT_PX = 32
STEP_PX = 4  # of width for each answer
