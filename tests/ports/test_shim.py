"""The shell's part: quoting against the shell itself, and the file that says how a workload ended."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_ports.posix.shim import parse_exit, quoted, start_script

WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NASTY = st.text("'\"\\$`!*?~#;&|<>(){}[] \t\n\r\x01\x7f\x81\x88%=", max_size=30)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(WORD, NASTY), min_size=1, max_size=20))
def test_the_shell_reads_quoted_words_as_they_are(words: list[str]) -> None:
    script = "printf '%s\\0' " + " ".join(quoted(word) for word in words)
    told = subprocess.run(["/bin/sh"], input=script.encode(), capture_output=True, check=True, timeout=30)
    assert told.stdout == b"".join(word.encode() + b"\0" for word in words)
    assert told.stderr == b""


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{2,8}", fullmatch=True), st.one_of(WORD, NASTY), max_size=5))
def test_the_start_script_gives_the_environment_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> None:
    directory = tmp_path_factory.mktemp("run's directory")
    for name in ("PPID", "IFS", "OPTIND", "PATH", "PWD"):
        environment.pop(name, None)
    log = directory / "log"
    (directory / "start").write_bytes(start_script(environment, str(directory), str(log), "/usr/bin/env", ["-0"]))
    subprocess.run(["/bin/sh", "./start"], cwd=directory, env={}, check=True, timeout=30)
    told = dict(entry.split(b"=", 1) for entry in log.read_bytes().split(b"\0") if entry)
    told.pop(b"PWD", None)
    told.pop(b"_", None)
    assert told == {name.encode(): value.encode() for name, value in environment.items()}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"0 ended\n", (0, 0)),
        (b"137 ended\n", (137, 0)),
        (b"137 killed\n", (137, 9)),
        (b"130 ended\n", (130, 2)),
        (b"141 ended\n", (141, 13)),
        (b"137 unclear\n", (137, 9)),
        (b"1 killed\n", (1, 0)),
        (b"", None),
        (b"13", None),
        (b"137 killed", None),
        (b"137\n", None),
        (b"x killed\n", None),
        (b"-1 ended\n", None),
        (b"1 2 3\n", None),
    ],
)
def test_an_exit_file_is_read_only_when_it_is_whole(data: bytes, expected: tuple[int, int] | None) -> None:
    assert parse_exit(data) == expected
