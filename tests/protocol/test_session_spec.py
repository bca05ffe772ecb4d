"""SPEC.md's tables are the program's: every cell of both state machines, every error code."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgelite_protocol import hub_session, node_session
from edgelite_protocol.hub_session import ACTION_TABLE, HUB_TABLE
from edgelite_protocol.message_tables import MESSAGES
from edgelite_protocol.node_session import NODE_TABLE
from edgelite_protocol.session import ENDED

sys.path.insert(0, str(Path(__file__).parent / "portable"))
from test_session_states_portable import hub_in, node_in, sample_messages

ROOT = Path(__file__).parents[2]
PACKAGE = Path(node_session.__file__).parent
SPEC = (PACKAGE.parent / "SPEC.md").read_text()

FRAMES = dict(sample_messages())
NUMBERS = {name.upper(): number for number, (name, _, _) in MESSAGES.items()}
ANSWERS = ("PONG", "RENEWED")  # admitted where they answer something


def rows(name: str) -> list[list[str]]:
    text = SPEC.split(f"<!-- table: {name} -->")[1].split("<!-- end -->")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return [lines[0], *lines[2:]]


def state_number(module: ModuleType, name: str) -> int:
    number: int = getattr(module, name)
    return number


def cells(name: str, module: ModuleType) -> list[tuple[str, int, str]]:
    head, *body = rows(name)
    assert {row[0] for row in body} == set(NUMBERS)
    return [
        (row[0], state_number(module, state), cell)
        for row in body
        for state, cell in zip(head[1:], row[1:], strict=True)
    ]


NODE_CELLS = cells("node", node_session)
HUB_CELLS = cells("hub", hub_session)


def test_every_state_has_a_column() -> None:
    assert {state for _, state, _ in NODE_CELLS} == set(NODE_TABLE)
    assert {state for _, state, _ in HUB_CELLS} == set(HUB_TABLE)


@pytest.mark.parametrize(("cells", "table"), [(NODE_CELLS, NODE_TABLE), (HUB_CELLS, HUB_TABLE)], ids=["node", "hub"])
def test_cells_are_admitted_as_the_spec_says(
    cells: list[tuple[str, int, str]], table: dict[int, dict[int, str]]
) -> None:
    for message, state, cell in cells:
        assert (NUMBERS[message] in table[state]) == (cell != "-"), (message, state)


MOVES = [("node", *cell) for cell in NODE_CELLS if cell[2] not in ("-", "by mode") and cell[0] not in ANSWERS]
MOVES += [("hub", *cell) for cell in HUB_CELLS if cell[2] != "-" and cell[0] not in ANSWERS]


@pytest.mark.parametrize(("end", "message", "state", "cell"), MOVES)
def test_cells_lead_where_the_spec_says(end: str, message: str, state: int, cell: str) -> None:
    session = node_in(state) if end == "node" else hub_in(state)
    session.receive(FRAMES[NUMBERS[message]], 0)
    event = session.next_event()
    if session.state == ENDED and cell != "ENDED":
        # The sample does not fit what came before it in this session; that it was understood is what counts here.
        assert getattr(event, "code", "") not in ("", "unexpected_message")
        return
    module = node_session if end == "node" else hub_session
    expected = ENDED if cell == "ENDED" else state if cell == "=" else state_number(module, cell)
    assert session.state == expected


def test_actions_are_the_specs() -> None:
    text = SPEC.split("| action | in | leads to |")[1].split("\n\n")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()[1:]]
    documented = {line[0].lower(): line[1] for line in lines if line[0] != "RENEWED"}
    names = {"entry": "send_entry"}
    assert {names.get(action, action) for action in documented} == set(ACTION_TABLE)
    for action, states in documented.items():
        expected = {state_number(hub_session, state.strip()) for state in states.split(",")}
        assert set(ACTION_TABLE[names.get(action, action)]) == expected, action


SAYS_A_CODE = re.compile(
    r'(?:ProtocolError|CborError|_finish|_lose|refuse|\.end|close_stream)\([^"()]*"([a-z]+(?:_[a-z]+)+)"'
)


def test_error_codes_are_documented() -> None:
    """Those of every room that speaks the protocol; CLOSE has its own in section 7.2. MQTT is another protocol."""
    documented = set(re.findall(r"^\| `(\w+)` \|", SPEC, re.MULTILINE))
    documented.update(re.findall(r"`(\w+)`", SPEC.split("Codes of CLOSE:")[1].split("\n\n")[0]))
    codes: set[str] = set()
    for room in (PACKAGE, ROOT / "hub", ROOT / "edgelite", ROOT / "ports"):
        for path in set(room.rglob("*.py")) - set((ROOT / "edgelite" / "mqtt").glob("*.py")):
            codes.update(SAYS_A_CODE.findall(path.read_text()))
    assert len(codes) > 40
    assert codes <= documented, codes - documented
