"""`edgelite sim proxy` as a process of its own, controlled from outside; and what is said where that can not be."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgelite_sim.live import control
from edgelite_sim.live.commands import cut_main, heal_main, profile_main, proxy_main, status_main
from edgelite_sim.live.control import LINE_BYTES_MAX, ControlError, call
from edgelite_sim.network.conditions import KINDS
from edgelite_sim.network.profile import names

DEADLINE_S = 20.0


class Program:
    """The proxy as a user starts it, before a server that answers each connection with one word."""

    def __init__(self, folder: Path) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        self.control = folder / "c"
        to = "127.0.0.1:{}".format(self.server.getsockname()[1])
        words = ["-m", "edgelite_cli", "sim", "proxy", "--listen", "127.0.0.1:0", "--to", to, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [sys.executable, *words, "--to", to, "--control", str(self.control)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = [self.process.stdout.readline() for _ in range(4)]
        self.port = int(self.said[0].split(" ->")[0].rpartition(":")[2])

    def _serve(self) -> None:
        try:
            while True:
                connection, _ = self.server.accept()
                connection.sendall(b"hello")
                connection.close()
        except OSError:
            pass

    def ask(self, patience_s: float = DEADLINE_S) -> str:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=patience_s) as channel:
                return channel.recv(100).decode()
        except TimeoutError:
            return "silent"
        except ConnectionRefusedError:
            return "refused"

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=DEADLINE_S)
        self.server.close()
        return rest


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.end()


def test_a_running_proxy_is_cut_healed_and_changed_from_outside(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--control", str(program.control)]
    assert program.said[2] == f"controlled at {program.control}\n"
    assert "up  profile lan" in program.said[3]
    assert program.control.stat().st_mode & 0o777 == 0o600
    assert program.ask() == "hello"

    assert cut_main(["--kind", "refused", *where]) == 0
    assert program.ask() == "refused"
    assert heal_main(where) == 0
    assert program.ask() == "hello"

    command = [sys.executable, "-m", "edgelite_cli", "sim", "cut", "--for", "1500ms", *where]
    subprocess.run(command, check=True, timeout=DEADLINE_S)
    assert program.ask(0.3) == "silent"
    assert program.ask() == "hello"  # it has healed by itself

    own = tmp_path / "mine.toml"
    own.write_text('[yard]\nbase = "lan"\nlatency = "300ms"\n')
    assert profile_main(["yard", "--file", str(own), *where]) == 0
    began_s = time.monotonic()
    assert program.ask() == "hello"
    assert time.monotonic() - began_s > 0.6

    capsys.readouterr()
    assert status_main(where) == 0
    shown = capsys.readouterr().out
    assert "profile      yard" in shown
    assert "everything passes" in shown

    rest = program.end()
    assert [line.split("  ")[1:2] for line in rest.splitlines()] == [["refused"], ["up"], ["silent"], ["up"], ["up"]], (
        rest
    )
    assert program.process.returncode == 0
    assert not program.control.exists()


def test_two_proxies_do_not_share_one_socket_and_a_leftover_one_is_taken_over(program: Program) -> None:
    with pytest.raises(ControlError, match="another proxy"):
        control.remove_leftover(program.control)
    program.process.kill()
    program.process.wait()
    assert program.control.exists()
    control.remove_leftover(program.control)
    assert not program.control.exists()


def test_what_is_wrong_in_a_request_is_answered_with_what_is_allowed(program: Program) -> None:
    for words, allowed in (
        ({"do": "dance"}, "cut"),
        ({"do": "cut", "kind": "rain"}, "half-open"),
        ({"do": "cut", "for_ms": -1}, "above 0"),
        ({"do": "profile", "name": "5g"}, "gprs"),
        ({"do": "profile", "name": "x", "toml": "[x]\nlos = 1", "where": "m.toml"}, "m.toml:2"),
        ([], "cut"),
    ):
        with pytest.raises(ControlError, match=allowed):
            call(program.control, words)  # type: ignore[arg-type]
    assert raw(program.control, b"what?\n") == {"error": "no JSON object in one line"}
    assert raw(program.control, b"x" * (2 * LINE_BYTES_MAX) + b"\n") is None
    assert call(program.control, {"do": "status"})["state"] == "up"


def raw(path: Path, data: bytes) -> object:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(path))
        channel.settimeout(DEADLINE_S)
        try:
            channel.sendall(data)
            line = channel.makefile("rb").readline()
        except OSError:
            return None
    return json.loads(line) if line else None


def test_the_default_socket_is_in_a_folder_of_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert control.default_path() == tmp_path / "edgelite" / "proxy.sock"
    assert (tmp_path / "edgelite").stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / f"edgelite-{os.getuid()}").symlink_to("/")
    with pytest.raises(ControlError, match="not a folder of yours"):
        control.default_path()


@pytest.mark.parametrize(
    ("main", "words", "said"),
    [
        (proxy_main, "", "--to for each --listen"),
        (proxy_main, "--listen 127.0.0.1:1 --to 127.0.0.1:2 --to 127.0.0.1:3", "--to for each --listen"),
        (proxy_main, "--listen 7450 --to 127.0.0.1:2", "HOST:PORT"),
        (proxy_main, "--listen [::1]:70000 --to 127.0.0.1:2", "HOST:PORT"),
        (proxy_main, "--listen a:1 --to b:2 --connections 0", "above 0"),
        (cut_main, "--kind silence", "did you mean 'silent'"),
        (cut_main, "--for soon", "90s"),
        (profile_main, "x --file no-such-file", "no-such-file"),
    ],
)
def test_wrong_usage_is_told_before_anything_begins(
    main: Callable[[list[str]], int], words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_what_can_not_begin_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = ["--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"]
    assert proxy_main([*pair, "--profile", "lt"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in names())
    (tmp_path / "mine.toml").write_text("[x]\nlos = 1\n")
    assert proxy_main([*pair, "--profiles", str(tmp_path / "mine.toml")]) == 2
    assert "mine.toml:2" in capsys.readouterr().err
    assert proxy_main([*pair, "--control", str(tmp_path / "mine.toml")]) == 1
    assert "is no socket" in capsys.readouterr().err
    assert proxy_main([*pair, "--control", "/" + "x" * 200]) == 1
    assert "107 bytes" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert (
            proxy_main(["--listen", f"127.0.0.1:{port}", "--to", "127.0.0.1:1", "--control", str(tmp_path / "c")]) == 1
        )
    assert "cannot listen" in capsys.readouterr().err
    assert heal_main(["--control", str(tmp_path / "nobody")]) == 1
    assert "no proxy is controlled" in capsys.readouterr().err


def test_help_lists_the_kinds_of_cuts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cut_main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(kind in shown for kind in KINDS)


def test_the_picture_for_a_terminal_has_the_same_rows() -> None:
    import asyncio

    from rich.console import Console

    from edgelite_sim.live import LiveProxy, showing

    async def picture() -> str:
        proxy = LiveProxy([(("127.0.0.1", 0), ("127.0.0.1", 1))], "tunnel")
        await proxy.start()
        proxy.cut("captive")
        console = Console(width=120, record=True, file=SimpleNamespace(write=len, flush=int))  # type: ignore[arg-type]
        console.print(showing._picture(proxy))
        await proxy.stop()
        return console.export_text()

    shown = asyncio.run(picture())
    assert "captive for 0s: a portal answers HTTP" in shown
    assert "tunnel" in shown
