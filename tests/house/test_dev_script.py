"""`./dev` on machines that lack something, with stand-ins for the commands that would change a machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from house_files import ROOT

NEEDED = ("sh", "dirname", "tr", "cat", "cksum", "mkdir", "tail", "env")  # of every Debian, however small


class Machine:
    """A folder with a checkout's `dev` in it, and a PATH that holds only what the test puts there."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "a checkout with spaces"
        self.commands = folder / "bin"
        self.checkout.mkdir()
        self.commands.mkdir()
        for name in ("dev", "pyproject.toml", "requirements.lock", "requirements-demo.lock"):
            shutil.copy(ROOT / name, self.checkout / name)
        for name in NEEDED:
            found = shutil.which(name)
            assert found is not None
            (self.commands / name).symlink_to(found)

    def put(self, name: str, script: str) -> None:
        (self.commands / name).write_text("#!/bin/sh\n" + script)
        (self.commands / name).chmod(0o755)

    def dev(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.checkout / "dev"), *arguments],
            env={"PATH": str(self.commands), **environment},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_alone_it_lists_its_commands(machine: Machine) -> None:
    told = machine.dev()
    assert told.returncode == 0
    for command in ("demo", "test", "lint", "format", "bench", "run", "setup", "lock"):
        assert f"\n  {command} " in told.stdout


def test_an_unknown_command_is_an_error(machine: Machine) -> None:
    told = machine.dev("tset")
    assert told.returncode == 1
    assert "no such command: tset" in told.stderr


def test_elsewhere_it_says_what_to_type(machine: Machine) -> None:
    machine.put("id", "echo 1000\n")
    machine.put("apt-get", "echo called >&2; exit 1\n")
    told = machine.dev("setup")
    assert told.returncode == 1
    assert "sudo apt-get install python3 python3-venv openssl" in told.stderr
    assert "called" not in told.stderr


def test_without_apt_it_says_what_is_missing(machine: Machine) -> None:
    told = machine.dev("setup")
    assert told.returncode == 1
    assert "missing: python3 python3-venv openssl" in told.stderr


def test_root_gets_the_packages_installed(machine: Machine) -> None:
    machine.put("id", "echo 0\n")
    machine.put("apt-get", f'echo "$@" >>"{machine.commands}/calls"\n')
    told = machine.dev("setup")
    calls = (machine.commands / "calls").read_text()
    assert "install -y --no-install-recommends python3 python3-venv openssl" in calls
    assert told.returncode == 1, "the stand-in installs nothing, and that must not go unnoticed"
    assert "python3 is not from 3.11 to 3.13" in told.stderr


def test_a_python_that_lacks_venv_needs_its_own_package(machine: Machine) -> None:
    machine.put("id", "echo 1000\n")
    machine.put("apt-get", "exit 1\n")
    machine.put("openssl", "exit 0\n")
    machine.put("python3", "case $2 in *ensurepip*) exit 1;; *print*) echo python3.12-venv;; esac\n")
    told = machine.dev("setup")
    assert "sudo apt-get install python3.12-venv" in told.stderr


def test_a_python_that_does_not_fit_is_refused(machine: Machine) -> None:
    machine.put("python3.9", "exit 1\n")
    told = machine.dev("setup", PYTHON="python3.9")
    assert told.returncode == 1
    assert "PYTHON=python3.9 is not a Python from 3.11 to 3.13" in told.stderr


def test_a_failing_step_shows_why(machine: Machine) -> None:
    machine.put("openssl", "exit 0\n")
    machine.put("python3", 'case "$*" in *venv\\ --clear*) echo "disk full" >&2; exit 1;; esac\n')
    told = machine.dev("setup")
    assert told.returncode == 1
    assert "disk full" in told.stderr
    assert ".cache/setup.log" in told.stderr


def test_ci_runs_exactly_dev_test() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ["set -eu", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec ./dev test"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-demo.lock"])
def test_every_pinned_package_has_hashes_and_no_place(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith(" "):
            assert "==" in line
            assert "--hash=sha256:" in following
        assert "//" not in line


def pinned(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split()[0].split("==") for line in lines if line[:1].isalnum())


def test_the_smaller_lock_is_part_of_the_larger() -> None:
    assert pinned("requirements-demo.lock").items() <= pinned("requirements.lock").items()


def test_each_lock_can_build_edgelite() -> None:
    for name in ("requirements.lock", "requirements-demo.lock"):
        assert int(pinned(name)["setuptools"].split(".")[0]) >= 77
