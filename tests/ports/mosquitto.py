"""A real broker on loopback, and the clients that come with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from agent_site import wait_until

from edgelite_sim.qemu import emulators

READY = "test/ready"


def programs() -> None:
    """Installed where root may; elsewhere the tests are skipped and say why, and under CI that is a failure."""
    try:
        emulators.require("mosquitto", "mosquitto-clients")
    except emulators.UnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


class Mosquitto:
    """`login`: (user, password) that everybody needs."""

    def __init__(self, folder: Path, login: tuple[str, str] | None = None) -> None:
        programs()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.login = login
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.listeners: list[Listener] = []
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "log_type none"]
        lines += ["user root"] if os.geteuid() == 0 else []
        if login is None:
            lines.append("allow_anonymous true")
        else:
            passwords = folder / "passwords"
            subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), *login], check=True, timeout=20)
            lines.append(f"password_file {passwords}")
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> Mosquitto:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen(
            [program, "-c", str(self.folder / "mosquitto.conf")], cwd=self.folder, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, what=lambda: "no broker")
        self.publish(READY, "yes", "-r")
        return self

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
        self.process = None

    def end(self) -> None:
        for listener in self.listeners:
            listener.end()
        self.stop()

    def words(self, program: str) -> list[str]:
        login = [] if self.login is None else ["-u", self.login[0], "-P", self.login[1]]
        return [program, "-h", "127.0.0.1", "-p", str(self.port), *login]

    def publish(self, topic: str, payload: str, *options: str) -> None:
        words = [*self.words("mosquitto_pub"), "-t", topic, "-m", payload, "-q", "1", *options]
        subprocess.run(words, check=True, timeout=20)

    def listen(self, *topics: str) -> Listener:
        made = Listener(self, topics)
        self.listeners.append(made)  # before it is waited for, so that it is ended in any case
        wait_until(lambda: made.payloads(READY), what=lambda: "not subscribed")
        return made


class Listener:
    """mosquitto_sub: what it heard as (topic, payload)."""

    def __init__(self, broker: Mosquitto, topics: tuple[str, ...]) -> None:
        words = [*broker.words("mosquitto_sub"), "-q", "1", "-F", "%t %p"]
        for topic in (*topics, READY):  # that one is retained, and comes when all of them are subscribed to
            words += ["-t", topic]
        self.heard: list[tuple[str, str]] = []
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, bufsize=1)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            topic, _, payload = line.rstrip("\n").partition(" ")
            self.heard.append((topic, payload))

    def payloads(self, topic: str) -> list[str]:
        return [payload for one, payload in list(self.heard) if one == topic]

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
