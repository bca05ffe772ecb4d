"""The two directions of a connection, and the number of the end that sends in it."""

UP, DOWN = 0, 1  # towards the hub, towards the node
