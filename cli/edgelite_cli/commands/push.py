"""`edgelite push NAME[:TAG] PATH`: a file or a folder as an artifact, packed the same way every time."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from edgelite_cli import options, output
from edgelite_cli.failure import Failure, reporting

MODE_FILE, MODE_PROGRAM, MODE_FOLDER = 0o644, 0o755, 0o755

EPILOG = """examples:
  edgelite push blinker:1.0 ./blinker.sh
  edgelite push app ./dist

A Pod runs it with `image: blinker:1.0`; its files are the working directory of the container."""


def members(path: Path) -> list[tuple[Path, str]]:
    if path.is_file():
        return [(path, path.name)]
    return [(file, file.relative_to(path).as_posix()) for file in sorted(path.rglob("*"))]


def header(file: Path, name: str) -> tarfile.TarInfo:
    """Only what the content says: no owner, no time, mode by executable bit, so that equal trees have equal digests."""
    info = tarfile.TarInfo(name)
    if file.is_symlink():
        raise Failure(f"{file} is a symbolic link; an artifact holds files and folders only")
    if file.is_dir():
        info.type, info.mode = tarfile.DIRTYPE, MODE_FOLDER
    elif file.is_file():
        status = file.stat()
        info.size, info.mode = status.st_size, MODE_PROGRAM if status.st_mode & 0o111 else MODE_FILE
    else:
        raise Failure(f"{file} is neither a file nor a folder; an artifact holds those only")
    return info


def pack(path: Path, target: IO[bytes]) -> None:
    """Write the uncompressed ustar archive of `path`."""
    found = members(path)
    if not found:
        raise Failure(f"{path} is an empty folder; there is nothing to push")
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file, name in found:
            info = header(file, name)
            try:
                with file.open("rb") if info.isfile() else tempfile.TemporaryFile() as content:
                    archive.addfile(info, content if info.isfile() else None)
            except ValueError as error:
                raise Failure(f"{file}: {error}; the archive format takes names of 255 bytes at most") from error


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("push", "Upload a file or a folder as an artifact.", EPILOG)
    made.add_argument("image", metavar="NAME[:TAG]", help="what Pods call it (tag: latest unless given)")
    made.add_argument("path", type=Path, help="a program, or a folder with all that it needs")
    given = made.parse_args(arguments)
    name, _, tag = given.image.partition(":")
    if not given.path.exists():
        raise Failure(f"{given.path} does not exist")
    client = options.connect(given)
    with tempfile.TemporaryFile() as archive:
        pack(given.path, archive)
        size_bytes = archive.tell()
        archive.seek(0)
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(size_bytes)}
        path = f"/apis/edgelite.dev/v1/artifacts/{name}"
        made_object = client.request("PUT", path, {"tag": tag or "latest"}, archive, headers)
    digest = made_object["status"]["digest"]
    sys.stdout.write(f"pushed {name}:{tag or 'latest'} ({output.size(size_bytes)})\n{name}@{digest}\n")
    return 0
