"""Building a firmware image from its recipe: each part by itself and kept in the cache, so that a change of the agent's
code costs a second and not the whole image.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from edgelite_cli.commands import bundle
from edgelite_sim.qemu import cache, cpio, debian, emulators, micropython_build
from edgelite_sim.qemu.kernel_modules import Modules
from edgelite_sim.qemu.recipe import Recipe, RecipeError

MODULES_PLACE = "usr/lib/edgelite-modules"
BUSYBOX = "usr/bin/busybox"
_BUILDER = "4"  # of this file; another one makes every image anew
# A block is read and unpacked as a whole for each page that is missing. With mksquashfs's own 128 KiB a machine that
# is short of memory reads the same megabytes again and again, and gets nothing done. Small ones cost 9 % of the image.
_SQUASH_FORM = ("-comp", "zstd", "-b", "16K")
_SQUASH = ("-noappend", "-all-root", "-no-progress", "-quiet", "-mkfs-time", "0", "-all-time", "0", *_SQUASH_FORM)


@dataclass(frozen=True, slots=True)
class Image:
    """Files that an emulator starts from; `root` and `agent` are squashfs disks."""

    recipe: Recipe
    kernel: Path
    initramfs: Path
    root: Path
    agent: Path

    def bundle_bytes(self, port: str = "linux") -> int:
        """What a port's bundle takes unpacked; the interpreter is not in it."""
        return int((self.agent.parent / f"bundle-bytes-{port}").read_text())

    def installed_bytes(self, port: str = "linux") -> int:
        """The same with the byte code that CPython's install.sh adds."""
        return int((self.agent.parent / f"installed-bytes-{port}").read_text())


def build(recipe: Recipe | None = None) -> Image:
    """Build what is missing: about a minute on a fresh machine, a second after a change of the agent's code."""
    chosen = recipe or Recipe()
    kernel_tree = debian.tree(chosen.base.text("architecture"), chosen.kernel.texts("packages"))
    modules = Modules(the_one(kernel_tree, chosen.kernel.text("modules")))
    kernel = the_one(kernel_tree, chosen.kernel.text("image"))
    return Image(chosen, kernel, initramfs(chosen, modules), root_disk(chosen, modules), agent_disk(chosen))


def the_one(folder: Path, pattern: str) -> Path:
    """The only path below `folder` that a pattern of the recipe names."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise RecipeError(f"{pattern}: {len(found)} paths below {folder}, where there must be one")
    return found[0]


def base_tree(recipe: Recipe) -> Path:
    return debian.tree(recipe.base.text("architecture"), recipe.base.texts("packages"))


# ---- the first root, in memory


def initramfs(recipe: Recipe, modules: Modules) -> Path:
    """Busybox, the modules that reach the root, and the board's init."""
    init = recipe.file(recipe.board.text("init"))
    order = modules.in_order(recipe.kernel.texts("initramfs"))
    busybox = base_tree(recipe) / BUSYBOX

    def make(folder: Path) -> None:
        archive = cpio.Archive()
        for name in ("dev", "proc", "sys", "new"):
            archive.folder(name)
        archive.device("dev/console", 5, 1)
        archive.file("bin/busybox", busybox.read_bytes(), 0o755)
        archive.link("bin/sh", "busybox")
        for name in order:
            archive.file(f"modules/{name}.ko", modules.content(name))
        archive.file("order", "".join(f"{name}.ko\n" for name in order).encode())
        archive.file("init", init.read_bytes(), 0o755)
        (folder / "initramfs.cpio").write_bytes(archive.data())

    parts = (_BUILDER, str(busybox), modules_key(modules, order), init.read_text())
    return cache.build("initramfs", parts, make, "at once") / "initramfs.cpio"


def modules_key(modules: Modules, names: list[str]) -> str:
    return " ".join(f"{name} {hashlib.sha256(modules.content(name)).hexdigest()}" for name in names)


# ---- the root


def root_disk(recipe: Recipe, modules: Modules) -> Path:
    base = recipe.base
    tree = base_tree(recipe)
    groups = {name: modules.in_order(names) for name, names in recipe.kernel.table("groups").items()}
    files = {place: recipe.file(name) for place, name in base.table("files").items()}

    def make(folder: Path) -> None:
        emulators.require("squashfs-tools")
        root = folder / "root"
        debian.run(["cp", "-a", str(tree), str(root)], "copying the base")
        remove_all(root, base.texts("without"))
        lay_out(root, recipe)
        for place, file in files.items():
            lay_file(root / place, file)
        lay_modules(root / MODULES_PLACE, modules, groups)
        compile_python(root / base.text("python"), root)
        squash(root, folder / "root.squashfs")
        cache.remove(root)

    names = [name for group in groups.values() for name in group]
    parts = [_BUILDER, str(tree), base.path.read_text(), modules_key(modules, names), str(sorted(groups.items()))]
    parts += [f"{place} {file.read_text()}" for place, file in sorted(files.items())]
    return cache.build("root", parts, make, "about 40 s") / "root.squashfs"


def remove_all(root: Path, patterns: list[str]) -> None:
    for pattern in patterns:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def lay_out(root: Path, recipe: Recipe) -> None:
    """Directories, links, and busybox's names, where no package has put something."""
    links = {place: str(target) for place, target in recipe.base.table("links").items()}
    links |= {f"usr/bin/{name}": "busybox" for name in recipe.base.texts("applets")}
    for place in recipe.base.texts("directories"):
        (root / place).mkdir(parents=True, exist_ok=True)
    for place, target in links.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path):
            path.symlink_to(target)


def lay_file(path: Path, file: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    shutil.copyfile(file, path)
    path.chmod(0o755 if file.read_bytes().startswith(b"#!") else 0o644)


def lay_modules(folder: Path, modules: Modules, groups: dict[str, list[str]]) -> None:
    folder.mkdir(parents=True)
    for group, names in groups.items():
        for name in names:
            (folder / f"{name}.ko").write_bytes(modules.content(name))
        (folder / f"{group}.order").write_text("".join(f"{name}.ko\n" for name in names))


# ---- the agent


def agent_disk(recipe: Recipe) -> Path:
    """The agents as `edgelite bundle` packs them, CPython's with its byte code."""
    part = recipe.agent
    mount = part.text("mount")
    files = {place: recipe.file(name) for place, name in part.table("files").items()}

    def make(folder: Path) -> None:
        emulators.require("squashfs-tools")
        top = folder / "top"
        for port, place in part.table("bundles").items():
            installed = top / place
            unpack_bundle(port, installed, folder / "bundle.tar.gz")
            (folder / f"bundle-bytes-{port}").write_text(str(size_bytes(installed)))
            if port == "linux":
                compile_python(installed / "lib", installed, mount)
            (folder / f"installed-bytes-{port}").write_text(str(size_bytes(installed)))
        for place, file in files.items():
            lay_file(top / place, file)
        squash(top, folder / "agent.squashfs")
        cache.remove(top)

    sources = [bundle.package_root(name) for name in (*bundle.PORTS["linux"], "edgelite_cli")]
    parts = [_BUILDER, part.path.read_text(), cache.digest_of(*sources)]
    parts += [f"{place} {file.read_text()}" for place, file in sorted(files.items())]
    return cache.build("agent", parts, make, "about 3 s") / "agent.squashfs"


def unpack_bundle(port: str, target: Path, archive: Path) -> None:
    """What a device has after unpacking a bundle. `archive` is where it may lie meanwhile."""
    if port in bundle.PORTS:
        bundle.pack(port, archive)
    else:
        bundle.pack_micropython(port, archive, str(micropython_build.mpy_cross()))
    unpacked = archive.parent / "unpacked"
    with tarfile.open(archive) as packed:
        packed.extractall(unpacked, filter="data")
    target.parent.mkdir(parents=True, exist_ok=True)
    the_one(unpacked, "*").rename(target)
    unpacked.rmdir()
    archive.unlink()


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def compile_python(folder: Path, root: Path, place: str = "") -> None:
    """Byte code for every module below `folder`. It is the same for every machine, so this machine's own build of the
    same Python makes it; never compared with the sources again, because the disk is read-only."""
    architecture = debian.run(["dpkg", "--print-architecture"], "asking for this machine's architecture").strip()
    tree = debian.tree(architecture, ["python3.13-minimal"])
    start = emulators.command(tree, architecture, "usr/bin/python3.13")
    options = ["-S", "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    debian.run([*start, *options, "-s", str(root), "-p", f"/{place}", str(folder)], "compiling the Python modules")


def squash(folder: Path, target: Path) -> None:
    debian.run(["mksquashfs", str(folder), str(target), *_SQUASH], f"packing {target.name}")
