"""The cache of built things, and what is said where a machine cannot build."""

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from edgelite_sim.qemu import cache, debian, emulators
from edgelite_sim.qemu.emulators import UnavailableError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGELITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Counts how often it was asked to make, and how many at a time."""

    def __init__(self, pause_s: float = 0) -> None:
        self.pause_s = pause_s
        self.calls = 0
        self.at_once = 0
        self.at_once_max = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        time.sleep(self.pause_s)
        (folder / "made").write_text(f"by call {self.calls}")
        self.at_once -= 1


def test_what_was_built_is_found_again(capsys: pytest.CaptureFixture[str]) -> None:
    maker = Maker()
    first = cache.build("thing", ("a", "b"), maker, "no time")
    assert cache.build("thing", ("a", "b"), maker, "no time") == first
    assert maker.calls == 1 and (first / "made").read_text() == "by call 1"
    assert capsys.readouterr().err == "edgelite: building thing (no time, once)\n", "a build is told, a find is not"


def test_every_part_of_a_recipe_counts() -> None:
    recipes = [("a", "b"), ("ab",), ("ab", ""), ("a", "c"), ("b", "a")]
    assert len({cache.build("thing", recipe, Maker(), "no time") for recipe in recipes}) == len(recipes)


def test_a_build_that_fails_leaves_nothing(own_cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise UnavailableError("no")

    with pytest.raises(UnavailableError):
        cache.build("thing", ("a",), fail, "no time")
    assert [path.name for path in own_cache.iterdir() if path.is_dir()] == []
    assert (cache.build("thing", ("a",), Maker(), "no time") / "made").exists()


def test_what_a_killed_builder_left_is_not_taken_for_a_result(own_cache: Path) -> None:
    path = cache.build("thing", ("a",), Maker(), "no time")
    cache.remove(path)
    unfinished = own_cache / f".{path.name}.unfinished"
    unfinished.mkdir()
    (unfinished / "half").write_text("")
    assert [file.name for file in cache.build("thing", ("a",), Maker(), "no time").iterdir()] == ["made"]


def test_builders_do_not_collide() -> None:
    maker = Maker(pause_s=0.2)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(cache.build("thing", ("a",), maker, "no time"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 4
    assert (maker.calls, maker.at_once_max) == (1, 1)


def test_what_nobody_used_for_long_goes() -> None:
    old, recent = (cache.build("thing", (name,), Maker(), "no time") for name in ("old", "recent"))
    other = cache.build("other", ("old",), Maker(), "no time")
    long_ago_s = time.time() - (cache.UNUSED_DAYS_MAX + 1) * 24 * 3600
    for path in (old, other):
        os.utime(path, (long_ago_s, long_ago_s))
    cache.build("thing", ("new",), Maker(), "no time")
    assert [path.exists() for path in (old, recent, other)] == [False, True, True]


def test_a_digest_of_files_is_of_names_and_contents(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "a").write_text("x")
    assert cache.digest_of(one) == cache.digest_of(other)
    (other / "a").rename(other / "b")
    assert cache.digest_of(one) != cache.digest_of(other)


# ---- what a machine may lack


def test_a_mirror_is_that_of_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        "Other stable http://other.example/x\nDebian any-updates http://a.example/u\nDebian any http://a.example/d/\n"
    )
    monkeypatch.delenv("EDGELITE_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(debian, "_run_or_nothing", lambda command: told)
    assert debian.mirror() == "http://a.example/d"
    monkeypatch.setenv("EDGELITE_DEBIAN_MIRROR", "http://b.example/d")
    assert debian.mirror() == "http://b.example/d"


def test_a_machine_without_a_mirror_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGELITE_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(debian, "_run_or_nothing", lambda command: "Ubuntu noble http://u.example/ubuntu\n")
    with pytest.raises(UnavailableError, match=r"apt-get update, or .* EDGELITE_DEBIAN_MIRROR="):
        debian.mirror()


@pytest.mark.skipif(not os.path.exists("/usr/lib/apt/apt-helper"), reason="this system has no apt")
def test_a_file_that_is_not_what_was_pinned_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("as it was")
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    debian.fetch(f"file:{source}", tmp_path / "copy", sha256)
    source.write_text("as it is now")
    with pytest.raises(UnavailableError, match="other failed"):
        debian.fetch(f"file:{source}", tmp_path / "other", sha256)


def test_missing_packages_are_named_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "is_here", lambda package: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(emulators.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(UnavailableError, match="sudo apt-get install mmdebstrap qemu-user-static"):
        emulators.require("mmdebstrap", "qemu-user-static")
    monkeypatch.setattr(emulators.shutil, "which", lambda name: None)
    with pytest.raises(UnavailableError, match=r"missing: mmdebstrap .*this system's package manager"):
        emulators.require("mmdebstrap")


def test_a_program_that_a_tree_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"has no usr/bin/python3\.13"):
        emulators.command(tmp_path, "armhf", "usr/bin/python3.13")


def test_a_command_that_fails_shows_the_end_of_what_it_said() -> None:
    with pytest.raises(UnavailableError, match=r"the answer failed.*\n  first\n  second"):
        debian.run(["sh", "-c", "echo first; echo second >&2; exit 3"], what="the answer")
    with pytest.raises(UnavailableError, match="needs no-such-command, which is not here"):
        debian.run(["no-such-command"], what="the answer")
