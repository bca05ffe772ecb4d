"""`edgelite sim list`, `check`, `faults`, `profiles`, `invariants`: what there is to choose from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from edgelite_sim import faults, invariants
from edgelite_sim.network import profile as profiles
from edgelite_sim.scenario import Scenario, ScenarioError, library, load
from edgelite_sim.scenario.reading import read
from edgelite_sim.written import fields
from edgelite_sim.written.fields import Field

EXIT_OK, EXIT_USAGE = 0, 2
WIDTH = 118


def parser(command: str, summary: str, epilog: str = "") -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="edgelite sim " + command,
        description=summary,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def columns(rows: Iterable[tuple[str, str]]) -> str:
    """Two of them, the second folded where it is long."""
    import textwrap

    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0) + 2
    lines = []
    for name, text in rows:
        folded = textwrap.wrap(text, WIDTH - width) or [""]
        lines += [f"{name:<{width}}{folded[0]}".rstrip(), *(" " * width + more for more in folded[1:])]
    return "\n".join(lines) + "\n"


def list_main(arguments: list[str]) -> int:
    made = parser("list", "The scenarios that come with the simulator; run one by its name.")
    made.add_argument("--names", action="store_true", help="only their names, for a script")
    if made.parse_args(arguments).names:
        sys.stdout.write("\n".join(library.names()) + "\n")
        return EXIT_OK
    sys.stdout.write(columns((name, read_text_of(name).description) for name in library.names()))
    sys.stdout.write(f"\nThey are in {library.folder()}; copy one to begin your own.\n")
    return EXIT_OK


def read_text_of(name: str) -> Scenario:
    """Not checked: a list is no place for errors of one of them."""
    path = library.folder() / f"{name}.toml"
    return read(path.read_text("utf-8"), str(path))[0]


def check_main(arguments: list[str]) -> int:
    made = parser("check", "Say what is wrong with scenarios: file, line, and what would be allowed.")
    made.add_argument("scenario", nargs="+", help="a file, or a name of `edgelite sim list`")
    code = EXIT_OK
    for name in made.parse_args(arguments).scenario:
        try:
            found = load(name)
        except ScenarioError as error:
            sys.stderr.write(f"edgelite sim: {error}\n")
            code = EXIT_USAGE
            continue
        counts = (
            (len(found.nodes()), "nodes"),
            (len(found.faults), "rows of faults"),
            (len(found.expectations), "expectations"),
        )
        sys.stdout.write(f"{name}: good: " + ", ".join(f"{count} {what}" for count, what in counts) + "\n")
    return code


def field_line(field: Field) -> str:
    """ "how = silent, refused ... (silent): what it is"."""
    allowed = fields.bounds(field) or field.type
    default = (
        "required" if field.is_required else "none" if field.default is None else fields.shown(field, field.default)
    )
    return f"{allowed}; default: {default}. {field.sentence[:1].upper()}{field.sentence[1:]}."


def faults_main(arguments: list[str]) -> int:
    made = parser("faults", "Every kind of fault, what it is for, and its parameters.")
    made.add_argument("kind", nargs="*", help="only these")
    chosen = made.parse_args(arguments).kind
    for name in chosen:
        if name not in faults.KINDS:
            from edgelite_sim.written.names import one_of

            sys.stderr.write(f"edgelite sim: there is no fault '{name}'; {one_of(name, faults.KINDS)}\n")
            return EXIT_USAGE
    for target in faults.TARGETS:
        kinds = [one for one in faults.KINDS.values() if one.target == target and (not chosen or one.name in chosen)]
        if kinds:
            sys.stdout.write(f"of a {target}:\n" + "".join(_fault(kind) for kind in kinds) + "\n")
    return EXIT_OK


def _fault(kind: faults.Kind) -> str:
    rows = [(f"    {field.name}", field_line(field)) for field in kind.fields]
    return columns([(f"  {kind.name}", kind.sentence)]) + (columns(rows) if rows else "")


def profiles_main(arguments: list[str]) -> int:
    parser("profiles", "Every kind of network that has a name; a scenario may have its own.").parse_args(arguments)
    found = [profiles.builtin(name) for name in profiles.names()]
    sys.stdout.write(columns((one.name, f"{one.summary}; {_numbers(one)}") for one in found))
    return EXIT_OK


def _numbers(one: profiles.Profile) -> str:
    parts = [f"round trip {one.round_trip_ms} ms" + (f" + {one.jitter_ms}" if one.jitter_ms else "")]
    if any(one.rate_bit_s):
        parts.append(f"{_rate(one.rate_bit_s[0])} up, {_rate(one.rate_bit_s[1])} down")
    if any(one.loss):
        parts.append("loss " + _pair([f"{share:.3g}" for share in one.loss]))
    return ", ".join(parts)


def _rate(bit_s: int) -> str:
    return (
        f"{bit_s / 1_000_000:g} Mbit/s" if bit_s >= 1_000_000 else f"{bit_s / 1000:g} kbit/s" if bit_s else "any rate"
    )


def _pair(texts: Sequence[str]) -> str:
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} up, {texts[1]} down"


def invariants_main(arguments: list[str]) -> int:
    parser("invariants", "What must hold in every run, and what of it can be set.").parse_args(arguments)
    for name in invariants.names():
        bounds = invariants.bounds_of(name)
        text = invariants.INVARIANTS[name].sentence
        sys.stdout.write(columns([(name + "  ", "")]) + columns([("   ", text)]))
        if bounds:
            sys.stdout.write(columns([("   ", "bounds: " + ", ".join(bounds))]))
    return EXIT_OK
