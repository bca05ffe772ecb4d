"""`edgelite provision BOARD`: make a device's files on this machine: its identity, the hub's CA, its configuration."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

from edgelite.config import parse, parse_address
from edgelite.driver import ConfigurationError
from edgelite_cli import boards, options, output
from edgelite_cli.client import ApiError, Client
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_USAGE
from edgelite_protocol.errors import EdgeliteError

TOKENS = "/apis/edgelite.dev/v1/jointokens"
NODES = "/api/v1/nodes"
TOKEN_SECONDS = 300  # it is used at once, and removed
WIFI_BYTES_MAX = (32, 63)  # IEEE 802.11: an SSID has at most 32 bytes, a passphrase 63 characters
DEVICE_FOLDER = "edgelite"  # on a board's own file system

EPILOG = f"""boards:
{chr(10).join(f"  {board.name:18} {board.summary}" for board in boards.BOARDS.values())}

examples:
  edgelite provision esp32 --out device --name attic --hub hub.local:7444 --wifi-ssid home
  edgelite provision rp2 --out device --name cellar --link serial:uart1:115200

The key is made on this machine and written into DIR alone: it is in no other file, and DIR is not needed here any more
once it is on the device. The hub shows the keys of a serial node this once. $EDGELITE_WIFI_PASSWORD keeps the password
out of the shell's history."""


@reporting
def main(arguments: list[str]) -> int:
    given = _parser().parse_args(arguments)
    board = boards.find(given.board)
    link = given.link or board.links[0]
    _check(given, board, link)
    config = _config(given, board, link)
    client = options.connect(given)
    _refuse_existing(client, given.name)
    made_folder = not given.out.exists()
    try:
        _make(client, given, link, config)
    except BaseException:
        _undo(given.out, made_folder)
        raise
    _tell(given, board, link)
    return 0


def _parser() -> argparse.ArgumentParser:
    made = options.hub_parser("provision", "Make the files of a device that becomes a node of the hub.", EPILOG)
    add = made.add_argument
    add("board", metavar="BOARD", help="what the device is; see below")
    add("--out", type=Path, metavar="DIR", required=True, help="where to; it must be empty or not be there")
    add("--name", required=True, help="the node's name")
    add("--hub", metavar="HOST[:PORT]", help="where the device, and this machine, reach the hub (port 7444)")
    add("--link", metavar="tls|serial[:LINE:BAUD]", help="how the device reaches the hub (default: the board's usual)")
    add("--address", type=int, default=1, metavar="N", help="on a serial line with several devices (default 1)")
    add("--wifi-ssid", metavar="NAME", help="the wireless network")
    add("--wifi-password", metavar="TEXT", help="its password (default: $EDGELITE_WIFI_PASSWORD)")
    add("--flash-bytes", type=int, metavar="N", help="what the board has for files (default: the board's usual)")
    text = "a driver of others that is on the device too (edgelite bundle --driver NAME)"
    add("--driver", action="append", default=[], metavar="NAME:MODULE", help=text)
    add("--frozen", action="store_true", help="the bundle is in the firmware and takes none of these")
    return made


# ---- what was asked for


def _check(given: argparse.Namespace, board: boards.Board, link: str) -> None:
    kind = link.partition(":")[0]
    if kind not in board.links:
        raise Failure(f"--link {link}: a {board.name} has {' or '.join(board.links)}", EXIT_USAGE)
    if kind == "tls" and not given.hub:
        raise Failure("--hub HOST[:PORT] is needed: where the device reaches the hub", EXIT_USAGE)
    if kind == "tls" and board.has_wifi and not given.wifi_ssid:
        raise Failure("--wifi-ssid NAME is needed: the board has no other network; or give --link serial", EXIT_USAGE)
    if given.wifi_ssid and (not board.has_wifi or kind != "tls"):
        raise Failure("--wifi-ssid: this board does not reach the hub by a wireless network", EXIT_USAGE)
    if given.out.exists() and (not given.out.is_dir() or any(given.out.iterdir())):
        raise Failure(f"{given.out} is there already and not empty: name another by --out", EXIT_USAGE)
    _wifi(given)
    if given.hub:
        _address(given.hub)


def _address(text: str) -> tuple[str, int]:
    try:
        return parse_address(text)
    except ValueError as error:
        raise Failure(f"--hub {text}: {error}", EXIT_USAGE) from error


def _wifi(given: argparse.Namespace) -> str:
    """The text of wifi.conf, "" for none."""
    if not given.wifi_ssid:
        return ""
    password = given.wifi_password or os.environ.get("EDGELITE_WIFI_PASSWORD") or ""
    for name, text, size in zip(("--wifi-ssid", "--wifi-password"), (given.wifi_ssid, password), WIFI_BYTES_MAX):  # noqa: B905
        if len(text.encode()) > size or "\n" in text or text != text.strip():
            raise Failure(f"{name}: at most {size} bytes, without a line's end or blanks around it", EXIT_USAGE)
    if 0 < len(password) < 8:
        raise Failure("--wifi-password: WPA has at least 8 characters; none at all is an open network", EXIT_USAGE)
    return f"ssid = {given.wifi_ssid}\npassword = {password}\n"


def _config(given: argparse.Namespace, board: boards.Board, link: str) -> str:
    """agent.conf, which the agent's own parser has read once."""
    flash_bytes = board.flash_bytes if given.flash_bytes is None else given.flash_bytes
    journal = boards.plan_journal(board, flash_bytes, given.frozen)
    lines = [f"node = {given.name}"]
    if link == "tls":
        lines.append(f"hub = {given.hub}")
    else:
        lines.append("link = " + (link if ":" in link else f"serial:{board.uart}:115200"))
        lines.append(f"link_address = {given.address}")
    if journal is not None:
        lines += [
            f"segment_bytes = {journal.segment_bytes}",
            f"journal_bytes_max = {journal.size_bytes_max}",
            f"telemetry_bytes_max = {journal.telemetry_bytes_max}",
        ]
    if given.driver:
        lines.append("drivers = " + ", ".join(given.driver))
    text = "\n".join(lines) + "\n"
    try:
        parse(text).journal_limits()
    except ConfigurationError as error:
        raise Failure(f"this makes no configuration: {error}", EXIT_USAGE) from error
    return text


# ---- at the hub


def _refuse_existing(client: Client, name: str) -> None:
    try:
        client.request("GET", f"{NODES}/{name}")
    except ApiError as error:
        if error.code == 404:
            return
        raise
    raise Failure(f"the hub has a node {name} already: choose another --name, or `edgelite delete node {name}` first")


def _make(client: Client, given: argparse.Namespace, link: str, config: str) -> None:
    if link == "tls":
        _join(client, given)
    else:
        given.out.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = client.request("POST", f"{NODES}/{given.name}/oscore", body={})
        _write(given.out / "oscore.conf", _key_lines(keys))
    wifi = _wifi(given)
    if wifi:
        _write(given.out / "wifi.conf", wifi)
    _write(given.out / "agent.conf", config)  # last: with it the device's files are whole


def _join(client: Client, given: argparse.Namespace) -> None:
    """As `edgelite join` does on a device, by a token that fits this name once."""
    from edgelite_ports.linux.join import join

    spec = {"ttlSeconds": TOKEN_SECONDS, "uses": 1, "nodeNamePattern": given.name}
    metadata = {"generateName": "provision-"}
    body = {"apiVersion": "edgelite.dev/v1", "kind": "JoinToken", "metadata": metadata, "spec": spec}
    token = client.request("POST", TOKENS, body=body)
    try:
        join(given.hub, str(token["status"]["token"]), given.name, str(given.out))
    except EdgeliteError as error:
        raise Failure(f"{given.name} did not join {given.hub}: {error}") from error
    finally:
        client.request("DELETE", f"{TOKENS}/{token['metadata']['name']}")
    (given.out / "agent.lock").unlink(missing_ok=True)


def _key_lines(keys: dict[str, Any]) -> str:
    names = {
        "sender_id": "senderId",
        "recipient_id": "recipientId",
        "master_secret": "masterSecret",
        "master_salt": "masterSalt",
    }
    try:
        return "".join(f"{line} = {keys[key]}\n" for line, key in names.items())
    except KeyError as error:
        raise Failure(f"the hub's answer lacks {error}: is it older than this program?") from error


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _undo(folder: Path, made_folder: bool) -> None:
    """Leave no half of a device: a key that belongs to nothing is the worst thing to leave lying about."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if made_folder:
        folder.rmdir()


# ---- what next


def _tell(given: argparse.Namespace, board: boards.Board, link: str) -> None:
    say = output.say
    say(f"{given.name}: identity and configuration for {board.name} are in {given.out}\n")
    say("The key is in no other file of this machine; remove the folder once it is on the device.\n")
    if link != "tls":
        say("Its gateway is any node with `gateway = LINE:BAUD` in its agent.conf.\n")
    if board.copies_by_mpremote:
        say(f"Next: mpremote mkdir :{DEVICE_FOLDER}\n      mpremote cp -r {given.out}/* :{DEVICE_FOLDER}/\n")
        say(f"      edgelite bundle --port {board.name} --out bundle, whose README.md says how it gets there\n")
    elif board.name == "qemu-cortex-m3":
        say("Next: pack it into the block device; docs/boards.md says how\n")
    else:
        agent = "edgelite-agent" if board.name == "micropython-linux" else "edgelite agent"
        say(f"Next: copy the folder to /var/lib/edgelite of the device (owner only), then `{agent}`\n")
