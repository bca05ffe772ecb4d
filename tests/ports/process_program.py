"""An agent without a link, as a program that a test may kill, for both runtimes:

    PYTHON process_program.py DIRECTORY FORM

keeps the workload of the CBOR file FORM running in the directory, and prints "STATE PID RESTARTS MESSAGE" after each
turn of its loop. Both runtimes keep the same directory, so a test may begin with the one and go on with the other.
"""

import sys

sys.path.insert(0, sys.argv[0].rpartition("/")[0] + "/unix")
from unix_bench import Agent

from edgelite_ports.posix import files
from edgelite_protocol import cbor


def run(directory, form):
    agent = Agent(directory)
    agent.desire(form)
    while True:
        agent.turn()
        for row in agent.supervisor.summary():
            message = row["message"].replace(" ", "-")
            text = "%s %s %s %s\n" % (row["table_state"], row["pid"], row["restarts"], message)
            files.write_all(1, text.encode())


if __name__ == "__main__":
    run(sys.argv[1], cbor.decode(files.read_whole(sys.argv[2])))
