"""What is wrong with a machine is said where a person looks for it, and says what to do."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edgelite_sim.qemu import Guest, GuestError, Hardware
from edgelite_sim.qemu.guest_node import GuestNode
from edgelite_sim.qemu.image import Image
from edgelite_sim.qemu.kernel_modules import ModuleError, Modules
from edgelite_sim.qemu.recipe import FOLDER, Recipe, RecipeError
from edgelite_sim.site import Site

TOO_SMALL_BYTES = 256 * 1024  # less than one segment of a journal, and a file system around it


@pytest.mark.timeout(120)
def test_a_flash_that_is_too_small_is_told_and_the_agent_ends(tmp_path: Path, built: Image) -> None:
    async def scene() -> None:
        site = Site(tmp_path)
        try:
            await site.start_hub()
            node = await GuestNode.make(site, "guest-1", image=built)
            assert node.guest.data is not None
            os.truncate(node.guest.data, TOO_SMALL_BYTES)
            try:
                await node.boot()
                await node.wait_for("the agent ended with code 1", 60)
                said = node.guest.console()
            finally:
                await node.stop()
        finally:
            await site.stop()
        assert "No space left on device" in said and "free some space" in said, said

    asyncio.run(scene())


@pytest.mark.timeout(120)
def test_a_damaged_data_partition_is_left_as_it_is(tmp_path: Path, built: Image) -> None:
    with Guest(tmp_path, built, data_mb=8) as guest:
        assert guest.data is not None
        guest.data.write_bytes(b"no file system, and not blank either " * 4096 + bytes(8 << 20))
        before = guest.data.read_bytes()
        guest.boot()
        guest.wait_for("the agent is not started")
        assert "the data partition is damaged and was left as it is" in guest.console()
        assert guest.run("cat /run/agent.pid").status != 0
        guest.power_cut()
        assert guest.data.read_bytes() == before


@pytest.mark.timeout(120)
def test_a_machine_that_does_not_boot_says_how_its_console_ends(tmp_path: Path, built: Image) -> None:
    no_root = tmp_path / "empty.squashfs"
    no_root.write_bytes(bytes(4096))
    with Guest(tmp_path / "a", replace(built, root=no_root), data_mb=0) as guest:
        with pytest.raises(GuestError, match="ended while it booted") as caught:
            guest.boot()
        assert "the root is no squashfs" in str(caught.value)
    with Guest(tmp_path / "b", built, data_mb=0) as guest:
        with pytest.raises(GuestError, match=r"did not boot within 1 s.*its console ends with") as caught:
            guest.boot(timeout_s=1)
        assert not guest.is_running()
        with pytest.raises(GuestError, match="the guest is off"):
            guest.run("true")


@pytest.mark.timeout(120)
def test_a_command_that_hangs_or_fails_is_told(tmp_path: Path, built: Image) -> None:
    with Guest(tmp_path, built, Hardware(memory_mb=64), data_mb=0, job={"no-agent": ""}) as guest:
        guest.boot()
        assert guest.run("exit 7").status == 7
        assert guest.run("echo to-out; echo to-err >&2").output == "to-out\nto-err\n"
        assert guest.run("sleep 60", timeout_s=1).status == 143
        assert len(guest.check("yes | head -c 3000000")) == 1 << 20
        with pytest.raises(GuestError, match="ended with 1: no such thing"):
            guest.check("echo no such thing; false")
        with pytest.raises(GuestError, match="waiting for 'godot': not within 1 s"):
            guest.wait_for("godot", 1)
        guest.shutdown()
        assert not guest.is_running()


def test_a_recipe_that_names_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no recipe"):
        Recipe(tmp_path)
    with pytest.raises(RecipeError, match=r"no such part; there are .*board-virt"):
        Recipe(board="board-toaster")
    parts = tmp_path / "parts"
    parts.mkdir()
    for part in (FOLDER / "parts").iterdir():
        (parts / part.name).write_text(part.read_text())
    (parts / "board-virt.toml").write_text('[board]\nmachine = 7\ninit = "nowhere"\n')
    recipe = Recipe(tmp_path)
    with pytest.raises(RecipeError, match=r"board.machine must be a str, not 7"):
        recipe.board.text("machine")
    with pytest.raises(RecipeError, match=r"board.cpu is missing"):
        recipe.board.text("cpu")
    with pytest.raises(RecipeError, match="nowhere: a part of the recipe names this file"):
        recipe.file(recipe.board.text("init"))
    with pytest.raises(ModuleError, match="this kernel has no module warp"):
        Modules(tmp_path).in_order(["warp"])
