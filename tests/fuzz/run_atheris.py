"""Fuzz one target with atheris, guided by coverage, in this process:

    python tests/fuzz/run_atheris.py "modbus rtu server" --runs 100000 [--seed 1]

Exits with 0 and prints libFuzzer's "Done N runs", or prints the exception and the input that raised it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.append(str(Path(__file__).parent))

INPUT_BYTES_MAX = 600  # two of the longest frames
INSTRUMENTED = [
    "edgelite",
    "edgelite_drivers",
    "edgelite_protocol",
    "edgelite_ports",
    "edgelite_sim",
    "planted_decoder",
]
HANG_S = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--module", default="targets", help="where TARGETS is")
    options = parser.parse_args()
    targets = {target.name: target for target in __import__(options.module).TARGETS}
    target = targets[options.target]
    with atheris.instrument_imports(include=INSTRUMENTED):
        function = target.prepare()
    with tempfile.TemporaryDirectory(prefix="edgelite-fuzz-") as folder:
        for index, seed in enumerate(target.seeds):
            (Path(folder) / str(index)).write_bytes(seed)
        arguments = [
            *(f"-runs={options.runs}", f"-seed={options.seed}", f"-max_len={INPUT_BYTES_MAX}", f"-timeout={HANG_S}"),
            *("-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={folder}/", folder),
        ]
        atheris.Setup([sys.argv[0], *arguments], function)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
