"""What is to be seen while the demo runs: a live table on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

STYLES = {"Ready": "green", "NotReady": "red", "Running": "green", "open": "green", "online": "green"}
HISTORY = 12
LINE_EVERY_S = 5.0


@dataclass(slots=True)
class Row:
    """One node as the table shows it."""

    node: str
    ready: str = "-"
    link: str = "open"
    workload: str = "-"
    pid: str = "-"
    restarts: str = "-"
    memory: str = "-"


@dataclass(slots=True)
class Picture:
    """Everything that is shown, filled in by the story."""

    rows: dict[str, Row]
    seconds_total: float
    started: float = field(default_factory=time.monotonic)
    step: str = "setting up"
    twins: dict[str, str] = field(default_factory=dict)
    answered: int = 0
    stored: int = 0
    history: list[str] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def backlog(self) -> int:
        return max(0, self.answered - self.stored)


def styled(text: str) -> Text:
    return Text(text, style=STYLES.get(text, "yellow" if text not in ("-", "") else "dim"))


def nodes_table(picture: Picture) -> Table:
    table = Table(expand=True, title="nodes and their workload", title_justify="left")
    for column in ("NODE", "STATUS", "LINK", "WORKLOAD", "PROCESS", "RESTARTS", "AGENT PSS"):
        table.add_column(column)
    for row in picture.rows.values():
        table.add_row(
            row.node, styled(row.ready), styled(row.link), styled(row.workload), row.pid, row.restarts, row.memory
        )
    return table


def meter_table(picture: Picture) -> Table:
    table = Table(expand=True, title="the meter's twin at the hub", title_justify="left")
    values = Table.grid(padding=(0, 2))
    for name, value in picture.twins.items():
        values.add_row(name, Text(value, style="bold"))
    counts = Table.grid(padding=(0, 2))
    counts.add_row("reads answered by the meter", Text(str(picture.answered), style="bold"))
    counts.add_row("reads stored at the hub", Text(str(picture.stored), style="bold"))
    counts.add_row(
        "on their way (backlog)", Text(str(picture.backlog), style="bold yellow" if picture.backlog > 5 else "bold")
    )
    table.add_column("TWIN")
    table.add_column("DELIVERY")
    table.add_row(values, counts)
    return table


def progress(picture: Picture) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(width=8)
    grid.add_column(ratio=1)
    grid.add_row(
        f"{picture.elapsed_s:4.0f} s", ProgressBar(picture.seconds_total, min(picture.elapsed_s, picture.seconds_total))
    )
    return Group(Text(picture.step, style="bold cyan"), grid)


def render(picture: Picture) -> RenderableType:
    history = Text("\n".join(picture.history[-HISTORY:]), style="dim")
    return Group(nodes_table(picture), meter_table(picture), history, progress(picture))


class View:
    """`say` for what happened, `show` as often as there is news."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.console = Console(stderr=False)
        self.live = Live(render(picture), console=self.console, refresh_per_second=4) if sys.stdout.isatty() else None
        self.last_line = 0.0

    def __enter__(self) -> View:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self.live:
            self.show()
            self.live.stop()

    def say(self, text: str) -> None:
        line = f"{self.picture.elapsed_s:5.1f} s  {text}"
        self.picture.history.append(line)
        if not self.live:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        self.show()

    def show(self) -> None:
        if self.live:
            self.live.update(render(self.picture))
        elif time.monotonic() - self.last_line > LINE_EVERY_S:
            self.last_line = time.monotonic()
            sys.stdout.write("         " + self.line() + "\n")
            sys.stdout.flush()

    def line(self) -> str:
        nodes = " ".join(f"{row.node}:{row.ready}/{row.workload}" for row in self.picture.rows.values())
        picture = self.picture
        return f"{nodes}  answered {picture.answered} stored {picture.stored} backlog {picture.backlog}"
