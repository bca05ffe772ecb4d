"""How a running proxy is controlled: a Unix socket that takes one JSON object a line and answers with one.

    {"do": "status"}   {"do": "cut", "kind": "silent", "for_ms": 30000}   {"do": "heal"}
    {"do": "profile", "name": "gprs"}   and, of one's own: "toml" (a file's text) with "where" (its name)

An answer has "status", or "error" with a sentence.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgelite_sim.live.proxy import LiveProxy
from edgelite_sim.network.conditions import UnknownKindError
from edgelite_sim.network.profile import UnknownProfileError, parse
from edgelite_sim.network.profile_file import ProfileError

LINE_BYTES_MAX = 65_536
CALLERS_MAX = 16
CALL_TIMEOUT_S = 5.0
PATH_BYTES_MAX = 107  # what a Unix socket's address takes


class ControlError(Exception):
    """A proxy that can not be controlled, or has refused; the text is for people."""


def default_path() -> Path:
    """Below $XDG_RUNTIME_DIR, else in a folder below the temporary one that is this user's alone."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "edgelite" if runtime else Path(tempfile.gettempdir()) / f"edgelite-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ControlError(f"{folder} is not a folder of yours; name a socket by --control PATH")
    return folder / "proxy.sock"


class ControlServer:
    def __init__(self, proxy: LiveProxy, path: Path) -> None:
        self._proxy = proxy
        self._path = path
        self._server: asyncio.Server | None = None
        self._callers = 0

    async def start(self) -> None:
        """ControlError where the path does not do, or another proxy answers there."""
        if len(os.fsencode(self._path)) > PATH_BYTES_MAX:
            raise ControlError(f"{self._path}: a socket's path has no more than {PATH_BYTES_MAX} bytes")
        remove_leftover(self._path)
        try:
            mask = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_BYTES_MAX)
            finally:
                os.umask(mask)
        except OSError as error:
            raise ControlError(f"{self._path}: {error.strerror}") from error

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        try:
            if self._callers > CALLERS_MAX:
                writer.write(b'{"error": "too many callers at once"}\n')
                return
            while line := await reader.readline():
                writer.write(json.dumps(self.answer(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # the caller went away, or its line is longer than the bound
        finally:
            self._callers -= 1
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        try:
            self._obey(json.loads(line))
        except (ControlError, UnknownKindError, UnknownProfileError, ProfileError) as error:
            return {"error": str(error)}
        except ValueError:
            return {"error": "no JSON object in one line"}
        return {"status": asdict(self._proxy.status())}

    def _obey(self, words: Any) -> None:
        if not isinstance(words, dict) or words.get("do") not in ACTS:
            raise ControlError(f'name what to do: {{"do": ...}} with one of {", ".join(ACTS)}')
        ACTS[words["do"]](self._proxy, words)


def _cut(proxy: LiveProxy, words: dict[str, Any]) -> None:
    for_ms = words.get("for_ms")
    if for_ms is not None and (type(for_ms) is not int or for_ms <= 0):
        raise ControlError(f"for_ms is {for_ms!r}; allowed: a whole number of milliseconds above 0")
    proxy.cut(str(words.get("kind", "silent")), for_ms)


def _use(proxy: LiveProxy, words: dict[str, Any]) -> None:
    if "toml" in words:
        proxy.profiles.update(parse(str(words["toml"]), str(words.get("where", "profiles.toml"))))
    proxy.use(str(words.get("name", "")))


ACTS = {
    "status": lambda proxy, words: None,
    "cut": _cut,
    "heal": lambda proxy, words: proxy.heal(),
    "profile": _use,
}


def remove_leftover(path: Path) -> None:
    """A socket that nobody listens at was left by a proxy that was killed."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ControlError(f"{path} is there and is no socket; name another by --control PATH")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CALL_TIMEOUT_S)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise ControlError(f"{path}: {error.strerror or error}") from error
    raise ControlError(f"another proxy is controlled at {path}; name another socket by --control PATH")


def call(path: Path, words: dict[str, Any]) -> dict[str, Any]:
    """The status after it was done. ControlError where no proxy answers, or it refuses."""
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(CALL_TIMEOUT_S)
            channel.connect(os.fspath(path))
            channel.sendall(json.dumps(words).encode() + b"\n")
            with channel.makefile("rb") as answers:
                line = answers.readline(LINE_BYTES_MAX)
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"no proxy is controlled at {path}; start one: edgelite sim proxy --help") from None
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror or error}") from error
    try:
        answer = json.loads(line)
    except ValueError:
        raise ControlError(f"what answers at {path} is no proxy") from None
    if "error" in answer:
        raise ControlError(str(answer["error"]))
    status: dict[str, Any] = answer["status"]
    return status
