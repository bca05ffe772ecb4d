"""A certificate that nears its end is renewed over the session, for the same key, by an agent that has no openssl."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edgelite_cli.commands import provision
from tests.hub.hub_process import HubProcess

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ports"))
import micropython_site

LIFETIME_DAYS = "0.0002"  # 17 s: renewed when two thirds are over
TIMEOUT_S = 40


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    made = HubProcess(tmp_path, "--certificate-days", LIFETIME_DAYS).start()
    yield made
    made.end()


@pytest.mark.parametrize("runtime", ["cpython", "micropython"])
def test_renewed_for_the_same_key(
    hub: HubProcess, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGELITE_KUBECONFIG", str(hub.data / "kubeconfig"))
    state = tmp_path / "device"
    board = "micropython-linux" if runtime == "micropython" else "linux"
    arguments = [board, "--out", str(state), "--name", "shed", "--hub", f"127.0.0.1:{hub.nodes_port}"]
    assert provision.main(arguments) == 0
    path = state / "identity" / "node.crt"
    first = x509.load_pem_x509_certificate(path.read_bytes())
    words = [sys.executable, "-m", "edgelite_cli", "agent"]
    if runtime == "micropython":
        words = [str(word) for word in ("/usr/bin/env", *micropython_site.agent_words()[1:])]
    environment = {**os.environ, "PATH": str(tmp_path / "nothing")}
    agent = subprocess.Popen([*words, "--state", str(state)], env=environment)
    try:
        until(lambda: "certificate renewed" in hub.log)
        until(lambda: x509.load_pem_x509_certificate(path.read_bytes()).serial_number != first.serial_number)
    finally:
        agent.terminate()
        agent.wait(15)
    second = x509.load_pem_x509_certificate(path.read_bytes())
    assert second.not_valid_after_utc >= first.not_valid_after_utc  # whole seconds: both may be of one
    assert key_of(second) == key_of(first)


def until(probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not probe():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def key_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
