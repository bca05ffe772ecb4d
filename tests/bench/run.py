"""`./dev bench`: one table, one JSON file. Compare ratios and medians; absolute times are this machine's."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that `bench` is a package wherever we start

from bench import codec, journal, live
from bench.figures import Figure, markdown, table, write_json

IDLE_MINUTES = 8  # two keepalive intervals at rest, so that the wire is neither flattered nor wronged


def tell(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--idle-minutes", type=int, default=IDLE_MINUTES, help="how long the node rests (default 8)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go")
    parser.add_argument("--markdown", type=Path, help="write the page of figures here, too")
    parser.add_argument("--only", choices=("codec", "journal", "live"), action="append", help="only these parts")
    given = parser.parse_args()
    parts = given.only or ["codec", "journal", "live"]
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="edgelite-bench-", dir=Path.cwd()) as folder:
        if "codec" in parts:
            tell("codec")
            figures += codec.figures()
        if "journal" in parts:
            tell("journal beside SQLite")
            figures += journal.figures(Path(folder))
        if "live" in parts:
            figures += asyncio.run(live.measure(Path(folder), given.idle_minutes, tell))
    write_json(given.json, figures, started)
    if given.markdown:
        given.markdown.write_text(markdown(figures, started))
    sys.stdout.write(table(figures))
    sys.stdout.write(f"\nfigures and machine: {given.json}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
