"""`edgelite sim proxy`, and `cut`, `heal`, `profile` and `status`, which control one that runs."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgelite_sim.live import showing
from edgelite_sim.live.control import ControlError, ControlServer, call, default_path
from edgelite_sim.live.proxy import CONNECTIONS_MAX, Address, LiveProxy
from edgelite_sim.network.conditions import CONDITIONS, KINDS
from edgelite_sim.network.profile import Profile, UnknownProfileError, names, parse
from edgelite_sim.network.profile_file import ProfileError
from edgelite_sim.written.names import one_of
from edgelite_sim.written.units import DURATION_EXAMPLES, duration_ms

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2

PROXY_EPILOG = """examples:
  edgelite sim proxy --listen 127.0.0.1:7450 --to 127.0.0.1:7444 --profile tunnel
  edgelite join 127.0.0.1:7450 --token ...        # this node goes through the proxy
  edgelite sim cut --for 30s                      # from another shell, while it runs

Several pairs of --listen and --to share one link. `edgelite sim profiles` lists the profiles."""

CUT_EPILOG = "how a link can be cut:\n" + "\n".join(f"  {kind:<13} {CONDITIONS[kind].sentence}" for kind in KINDS)


def proxy_main(arguments: list[str]) -> int:
    parser = _parser("proxy", "Stand between real nodes and a real hub, as a bad network in real time.", PROXY_EPILOG)
    add = parser.add_argument
    add("--listen", action="append", default=[], metavar="HOST:PORT", help="where nodes connect; port 0: any free one")
    add("--to", action="append", default=[], metavar="HOST:PORT", help="where the hub is; one for each --listen")
    add("--profile", default="lan", metavar="NAME", help="what the network is like (default: lan)")
    add("--profiles", type=Path, metavar="FILE", help="a TOML file with profiles of your own")
    add("--seed", type=int, default=0, help="where losses and outages are drawn from (default: 0)")
    add("--connections", type=int, default=CONNECTIONS_MAX, metavar="N", help=f"at most (default: {CONNECTIONS_MAX})")
    given = _with_control(parser).parse_args(arguments)
    if not given.listen or len(given.listen) != len(given.to):
        parser.error("give a --to for each --listen, and one pair at least")
    if given.connections < 1:
        parser.error("--connections takes a number above 0")
    routes = [
        (_address(parser, "--listen", listen), _address(parser, "--to", to))
        for listen, to in zip(given.listen, given.to, strict=True)
    ]
    return _reporting(lambda: asyncio.run(_run(given, routes)))


def cut_main(arguments: list[str]) -> int:
    parser = _parser("cut", "Cut the link of a running proxy.", CUT_EPILOG)
    parser.add_argument("--kind", default="silent", help="in which way (default: silent)")
    parser.add_argument("--for", dest="duration", metavar="TIME", help="it heals by itself after this, as 30s")
    given = _with_control(parser).parse_args(arguments)
    if given.kind not in KINDS:
        parser.error(f"there is no kind '{given.kind}'; {one_of(given.kind, KINDS)}")
    words: dict[str, Any] = {"do": "cut", "kind": given.kind}
    if given.duration is not None:
        words["for_ms"] = duration_ms(given.duration)
        if not words["for_ms"]:
            parser.error(f"--for {given.duration!r}: {DURATION_EXAMPLES}")
    return _control(given.control, words)


def heal_main(arguments: list[str]) -> int:
    parser = _parser("heal", "End what `edgelite sim cut` began. The profile's own timetable goes on.")
    return _control(_with_control(parser).parse_args(arguments).control, {"do": "heal"})


def profile_main(arguments: list[str]) -> int:
    parser = _parser("profile", "Make a running proxy's link another kind of network.")
    parser.add_argument("name", help=f"{', '.join(names())}, or one of your own")
    parser.add_argument("--file", type=Path, help="a TOML file with profiles of your own")
    given = _with_control(parser).parse_args(arguments)
    words = {"do": "profile", "name": given.name}
    if given.file is not None:
        try:
            words |= {"toml": given.file.read_text("utf-8"), "where": str(given.file)}
        except (OSError, UnicodeDecodeError) as error:
            parser.error(f"--file {given.file}: {error}")
    return _control(given.control, words)


def status_main(arguments: list[str]) -> int:
    parser = _parser("status", "Show what a running proxy carries, and how its link is.")
    return _control(_with_control(parser).parse_args(arguments).control, {"do": "status"})


# ---- the proxy


async def _run(given: argparse.Namespace, routes: list[tuple[Address, Address]]) -> int:
    proxy = LiveProxy(
        routes, given.profile, seed=given.seed, profiles=_own(given.profiles), connections_max=given.connections
    )
    path = given.control or default_path()
    control = ControlServer(proxy, path)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await proxy.start()
    try:
        await control.start()
        for ((host, _), (to_host, to_port)), port in zip(routes, proxy.ports, strict=True):
            sys.stdout.write(f"{host}:{port} -> {to_host}:{to_port}\n")
        sys.stdout.write(f"controlled at {path}\n")
        sys.stdout.flush()
        await showing.show(proxy, over)
    finally:
        await control.stop()
        await proxy.stop()
    return EXIT_OK


def _own(path: Path | None) -> dict[str, Profile]:
    if path is None:
        return {}
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ControlError(f"{path}: {error}") from error


# ---- common to all


def _control(path: Path | None, words: dict[str, Any]) -> int:
    def ask() -> int:
        sys.stdout.write(showing.text(call(path or default_path(), words)))
        return EXIT_OK

    return _reporting(ask)


def _reporting(run: Callable[[], int]) -> int:
    try:
        return run()
    except (UnknownProfileError, ProfileError) as error:
        text, code = str(error), EXIT_USAGE
    except ControlError as error:
        text, code = str(error), EXIT_FAILED
    except OSError as error:
        text, code = f"cannot listen: {error.strerror or error}", EXIT_FAILED
    sys.stderr.write(f"edgelite sim: {text}\n")
    return code


def _parser(name: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"edgelite sim {name}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _with_control(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--control", type=Path, metavar="PATH", help="the proxy's control socket (default: in your runtime folder)"
    )
    return parser


def _address(parser: argparse.ArgumentParser, option: str, text: str) -> Address:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})", text)
    if not match or int(match[3]) > 65_535:
        parser.error(f"{option} {text!r}: give HOST:PORT, such as 127.0.0.1:7450 or [::1]:7450")
    return (match[1] or match[2], int(match[3]))
