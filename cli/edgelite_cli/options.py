"""Options that several commands share, so that they read and behave alike."""

from __future__ import annotations

import argparse

from edgelite_cli import kubeconfig
from edgelite_cli.client import Client


def parser(command: str, summary: str, epilog: str = "") -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="edgelite " + command,
        description=summary,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def hub_parser(command: str, summary: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser of a command that talks to a hub."""
    made = parser(command, summary, epilog)
    add_kubeconfig(made)
    return made


def add_kubeconfig(made: argparse.ArgumentParser, default: str | None = None) -> None:
    text = "the hub and its credential (default: the local hub's)"
    made.add_argument("--kubeconfig", metavar="FILE", default=default, help=text)


def add_namespace(made: argparse.ArgumentParser, everywhere: bool = False) -> None:
    made.add_argument("-n", "--namespace", metavar="NAME", help="the namespace (default: the kubeconfig's)")
    if everywhere:
        made.add_argument("-A", "--all-namespaces", action="store_true", help="look in every namespace")


def connect(arguments: argparse.Namespace) -> Client:
    return Client(kubeconfig.load(arguments.kubeconfig))


def namespace(arguments: argparse.Namespace, client: Client) -> str:
    return str(arguments.namespace or client.access.namespace)
