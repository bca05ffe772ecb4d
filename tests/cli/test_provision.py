"""Devices' files, made with a real hub: what is in them, what is refused, and that an agent runs from them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgelite import link_keys
from edgelite.config import parse
from edgelite_cli import boards
from edgelite_cli.boards import BOARDS, plan_journal
from edgelite_cli.client import ApiError, Client
from edgelite_cli.commands import provision
from edgelite_cli.failure import Failure
from edgelite_cli.kubeconfig import load
from tests.hub.hub_process import HubProcess, wait_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    made = HubProcess(tmp_path_factory.mktemp("provision")).start()
    yield made
    made.end()


@pytest.fixture(autouse=True)
def kubeconfig(hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELITE_KUBECONFIG", str(hub.data / "kubeconfig"))


def client(hub: HubProcess) -> Client:
    return Client(load(str(hub.data / "kubeconfig")))


def run(hub: HubProcess, board: str, out: Path, name: str, *more: str) -> int:
    address = [] if any(word.startswith("serial") for word in more) else ["--hub", f"127.0.0.1:{hub.nodes_port}"]
    code: int = provision.main([board, "--out", str(out), "--name", name, *address, *more])
    return code


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_board_with_a_network(hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "device"
    assert run(hub, "esp32", out, "attic", "--wifi-ssid", "home", "--wifi-password", "long enough") == 0
    identity = {"identity/node.key", "identity/node.crt", "identity/ca.crt"}
    assert files(out) == identity | {"agent.conf", "wifi.conf"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in [out, *out.rglob("*")])
    config = parse((out / "agent.conf").read_text())
    assert (config.node, config.hubs) == ("attic", [("127.0.0.1", hub.nodes_port)])
    assert config.journal_limits().segment_bytes == 8192
    assert (out / "wifi.conf").read_text() == "ssid = home\npassword = long enough\n"
    told = capsys.readouterr().out
    assert "mpremote cp -r" in told and "BEGIN" not in told


def test_the_token_that_it_used_is_gone(hub: HubProcess, tmp_path: Path) -> None:
    assert run(hub, "linux", tmp_path / "device", "cabin") == 0
    assert client(hub).request("GET", provision.TOKENS)["items"] == []


def test_no_key_is_left_elsewhere(hub: HubProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert run(hub, "micropython-linux", tmp_path / "device", "barn") == 0
    assert list(scratch.iterdir()) == []


def test_a_board_on_a_serial_line(hub: HubProcess, tmp_path: Path) -> None:
    out = tmp_path / "device"
    assert run(hub, "rp2", out, "cellar", "--link", "serial:uart0:57600", "--address", "7") == 0
    assert files(out) == {"agent.conf", "oscore.conf"}
    config = parse((out / "agent.conf").read_text())
    assert config.link is not None
    assert (config.link.path, config.link.baud, config.link.address) == ("uart0", 57600, 7)
    keys = link_keys.parse((out / "oscore.conf").read_text())
    assert keys is not None
    assert client(hub).request("GET", "/api/v1/nodes/cellar")["metadata"]["name"] == "cellar"


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_each_board_has_files_that_its_agent_reads(hub: HubProcess, board: str, tmp_path: Path) -> None:
    wifi = ["--wifi-ssid", "home"] if BOARDS[board].has_wifi else []
    serial = ["--link", "serial"] if BOARDS[board].links == ("serial",) else []
    assert run(hub, board, tmp_path / "device", "every-" + board, *wifi, *serial) == 0
    parse((tmp_path / "device" / "agent.conf").read_text()).journal_limits()


def test_an_agent_runs_from_it(hub: HubProcess, tmp_path: Path) -> None:
    out = tmp_path / "device"
    assert run(hub, "linux", out, "porch") == 0
    agent = subprocess.Popen([sys.executable, "-m", "edgelite_cli", "agent", "--state", str(out)], cwd=ROOT)
    try:
        wait_for(lambda: is_ready(hub, "porch"), hub)
    finally:
        agent.terminate()
        agent.wait(10)


def is_ready(hub: HubProcess, name: str) -> bool:
    conditions = client(hub).request("GET", f"/api/v1/nodes/{name}")["status"].get("conditions", [])
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


# ---- what is refused


def refused(hub: HubProcess, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = names(hub)
    assert provision.main(list(arguments)) != 0
    assert names(hub) == before, "nothing was made at the hub"
    return capsys.readouterr().err


def names(hub: HubProcess) -> list[str]:
    return [one["metadata"]["name"] for one in client(hub).request("GET", "/api/v1/nodes")["items"]]


def test_an_unknown_board(hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(hub, capsys, "esp23", "--out", str(tmp_path / "x"), "--name", "n")
    assert "no board esp23; did you mean esp32?" in told and "qemu-cortex-m3" in told
    told = refused(hub, capsys, "toaster", "--out", str(tmp_path / "x"), "--name", "n")
    assert "there are: esp32, linux" in told


def test_a_folder_that_is_not_empty(hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("precious")
    told = refused(hub, capsys, "linux", "--out", str(tmp_path), "--name", "n", "--hub", "127.0.0.1:1")
    assert "not empty" in told and (tmp_path / "mine").read_text() == "precious"


def test_a_name_that_exists(hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "linux", tmp_path / "one", "twice") == 0
    told = refused(hub, capsys, "rp2", "--link", "serial", "--out", str(tmp_path / "two"), "--name", "twice")
    assert "has a node twice already" in told and not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["esp32", "--name", "n", "--wifi-ssid", "s"], "--hub HOST"),
        (["esp32", "--name", "n", "--hub", "h"], "--wifi-ssid NAME"),
        (["esp32", "--name", "n", "--hub", "h", "--wifi-ssid", "s", "--wifi-password", "short"], "8 characters"),
        (["esp32", "--name", "n", "--hub", "h", "--wifi-ssid", "s" * 33], "at most 32"),
        (["linux", "--name", "n", "--hub", "h", "--wifi-ssid", "s"], "does not reach the hub by a wireless"),
        (["linux", "--name", "n", "--hub", "h:x"], "host:port"),
        (["linux", "--name", "Bad Name", "--hub", "h"], "lower-case"),
        (["qemu-cortex-m3", "--name", "n", "--link", "tls", "--hub", "h"], "has serial"),
        (["rp2", "--name", "n", "--link", "serial:uart1:fast"], "path:baud"),
        (["rp2", "--name", "n", "--link", "serial", "--address", "255"], "1 to 254"),
        (["rp2", "--name", "n", "--link", "serial", "--flash-bytes", "200000"], "too few"),
    ],
)
def test_what_makes_no_device(
    hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in refused(hub, capsys, *arguments, "--out", str(tmp_path / "device"))
    assert not (tmp_path / "device").exists()


def test_a_hub_that_is_not_there_leaves_nothing(
    hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(hub, capsys, "linux", "--out", str(tmp_path / "device"), "--name", "n", "--hub", "127.0.0.1:1")
    assert "did not join" in told and not (tmp_path / "device").exists()


def test_an_answer_without_keys_leaves_nothing(
    hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(self: Client, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        if method == "GET":
            raise ApiError(404, {})
        return {"senderId": "AAAA"}

    monkeypatch.setattr(Client, "request", request)
    assert run(hub, "rp2", tmp_path / "device", "n", "--link", "serial") == 1
    assert "lacks 'recipientId'" in capsys.readouterr().err and not (tmp_path / "device").exists()


# ---- how the flash is shared out


@pytest.mark.parametrize("name", sorted(name for name, board in BOARDS.items() if board.flash_bytes))
def test_what_a_board_is_given_fits_its_flash(name: str) -> None:
    board = BOARDS[name]
    for flash_bytes in (board.flash_bytes, board.flash_bytes + 1_000_000, smallest(board)):
        journal = plan_journal(board, flash_bytes, False)
        assert journal is not None
        with_reserve = journal.size_bytes_max + 2 * journal.segment_bytes
        used = with_reserve + board.bundle_bytes_max + boards.STATE_BYTES_MAX
        assert used <= flash_bytes - flash_bytes // boards.LITTLEFS_PART
        assert journal.size_bytes_max <= board.journal_bytes_max
        text = f"node = n\nhub = h\nsegment_bytes = {journal.segment_bytes}\n"
        text += f"journal_bytes_max = {journal.size_bytes_max}\ntelemetry_bytes_max = {journal.telemetry_bytes_max}\n"
        parse(text).journal_limits()


def smallest(board: boards.Board) -> int:
    """What the refusal of a single byte says is needed."""
    with pytest.raises(Failure) as refused_:
        plan_journal(board, 1, False)
    words = refused_.value.text.split(" in all")[0].rsplit(" ", 1)[1]
    needed = int(words)
    with pytest.raises(Failure):
        plan_journal(board, needed - 8, False)
    return needed


def test_a_frozen_bundle_leaves_its_room_to_the_journal() -> None:
    with pytest.raises(Failure, match="--frozen"):
        plan_journal(BOARDS["rp2"], 200_000, False)
    assert plan_journal(BOARDS["rp2"], 200_000, True) is not None
