# Runs first at each start. The agent is started by main.py; nothing is needed here, and what the board needs for other
# things may stand here.
