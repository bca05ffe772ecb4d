"""The command line of `edgelite hub`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgelite_hub.settings import DAY_MS, Settings, default_data_directory

EPILOG = """\
examples:
  edgelite hub
  edgelite hub --advertise hub.example.org --advertise 192.0.2.7
  edgelite hub --data ./hub --api 127.0.0.1:0 --nodes 127.0.0.1:0

The first start makes a certificate authority, a store and an administrator's kubeconfig in the data directory. Back
that directory up as a whole."""


def parse(arguments: Sequence[str]) -> tuple[Settings, bool]:
    """The settings, and whether the store was restored from a backup. Exits with 2 and usage on errors."""
    parser = _parser()
    given = parser.parse_args(arguments)
    api_host, api_port = given.api
    nodes_host, nodes_port = given.nodes
    settings = Settings(
        data_directory=given.data,
        api_host=api_host,
        api_port=api_port,
        nodes_host=nodes_host,
        nodes_port=nodes_port,
        advertise=tuple(given.advertise),
        certificate_lifetime_ms=int(given.certificate_days * DAY_MS),
        telemetry_retention_ms=int(given.telemetry_days * DAY_MS),
    )
    return settings, bool(given.restored)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgelite hub",
        description="Run a hub: nodes connect to it, people and tools use its Kubernetes-shaped API.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=Path, default=default_data_directory(), metavar="DIR", help="where it keeps all (%(default)s)")
    add("--api", type=_address, default="127.0.0.1:7443", metavar="HOST:PORT", help="the API (%(default)s)")
    add("--nodes", type=_address, default="0.0.0.0:7444", metavar="HOST:PORT", help="for nodes (%(default)s)")
    add("--advertise", action="append", default=[], metavar="NAME", help="a name or address of this machine, for "
        "its certificate; may come several times")  # fmt: skip
    add("--certificate-days", type=_positive, default=90.0, metavar="N", help="of a node's certificate (90)")
    add("--telemetry-days", type=_positive, default=7.0, metavar="N", help="how long telemetry is kept (7)")
    add("--restored", action="store_true", help="say so once, when the data directory came from a backup")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 < number <= 36_500:
        raise argparse.ArgumentTypeError("must be above 0 and at most 36500 days")
    return number
