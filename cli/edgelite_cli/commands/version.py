"""`edgelite version`"""

from __future__ import annotations

import platform
import sys

from edgelite import __version__
from edgelite_cli.options import parser
from edgelite_protocol.messages import VERSION_MAJOR, VERSION_MINOR


def main(arguments: list[str]) -> int:
    parser("version", "Print the versions of program, protocol and Python.").parse_args(arguments)
    sys.stdout.write(
        f"edgelite {__version__}\nprotocol {VERSION_MAJOR}.{VERSION_MINOR}\n"
        f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}\n"
    )
    return 0
