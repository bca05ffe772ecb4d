"""From a workload's compact form to the script that becomes its process. docs/workloads.md says it for users."""

from edgelite_ports.common.environment import expand, own_variables
from edgelite_ports.posix import files as small_files
from edgelite_ports.posix import workload_files
from edgelite_ports.posix.command import PATH_DEFAULT, StartError, confined, find_program
from edgelite_ports.posix.shim import start_script
from edgelite_protocol.messages import (
    CONTAINER_COMMAND,
    CONTAINER_DIGEST,
    CONTAINER_ENVIRONMENT,
    CONTAINER_FILES,
    CONTAINER_WORKING_DIRECTORY,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_ports.posix.places import Places

_NAME_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_NAME_REST = _NAME_START | frozenset("0123456789")


def prepare(
    places: "Places",
    node: str,
    artifact_root: "str | None",
    unit: str,
    workload: "dict[int, Any]",
    container: "dict[int, Any]",
) -> bytes:
    """Make the unit's directories, write its files, find its program; the start script. StartError says what is
    wrong with the workload or the device; nothing has been started then."""
    if CONTAINER_DIGEST in container and artifact_root is None:
        raise StartError("ArtifactMissing", "the artifact is not unpacked here")
    root = places.root(unit)
    _make_directories(places, unit)
    _write_files(places, unit, container.get(CONTAINER_FILES, []))
    directory = working_directory(root, artifact_root, container.get(CONTAINER_WORKING_DIRECTORY, ""))
    environment = make_environment(root, artifact_root, node, workload, container, places.bus_path)
    words = [expand(word, environment) for word in container[CONTAINER_COMMAND]]
    _check_words(words)
    program = find_program(words[0], directory, artifact_root, environment["PATH"])
    return start_script(environment, directory, places.log(unit), program, words[1:])


def working_directory(root: str, artifact_root: "str | None", asked: str) -> str:
    """The artifact's root, or else the workload's directory; `asked` is relative to that. With `image: host` an
    absolute path is one of the device; with an artifact it starts at the artifact's root."""
    base = artifact_root or root
    if artifact_root is None and asked.startswith("/"):
        directory = small_files.normal(asked)
    else:
        directory = confined(base, asked)
    if not small_files.is_directory(directory):
        raise StartError("WorkingDirectoryMissing", "%s is no directory (workingDir: %s)" % (directory, asked))
    return directory


def make_environment(
    root: str,
    artifact_root: "str | None",
    node: str,
    workload: "dict[int, Any]",
    container: "dict[int, Any]",
    bus_path: str = "",
) -> "dict[str, str]":
    """Nothing of the agent's own environment; what the container declares wins."""
    path = PATH_DEFAULT if artifact_root is None else "%s/bin:%s:%s" % (artifact_root, artifact_root, PATH_DEFAULT)
    environment = {
        "PATH": path,
        "HOME": root,
        "EDGELITE_ROOT": root,
    }
    environment.update(own_variables(node, workload))
    if artifact_root is not None:
        environment["EDGELITE_ARTIFACT"] = artifact_root
    if bus_path:
        environment["EDGELITE_BUS"] = bus_path
    declared = container.get(CONTAINER_ENVIRONMENT, {})
    environment.update({name: expand(declared[name], environment) for name in declared})
    for name in environment:
        if not is_variable_name(name) or "\0" in environment[name]:
            text = "%r: a variable of a process has letters, digits and _, no digit first, and no NUL" % name
            raise StartError("InvalidEnvironment", text)
    return environment


def is_variable_name(name: str) -> bool:
    """A name that a shell can export."""
    return bool(name) and name[0] in _NAME_START and all(letter in _NAME_REST for letter in name)


def _check_words(words: "list[str]") -> None:
    if not words or not words[0] or any("\0" in word for word in words):
        raise StartError("InvalidCommand", "a command needs a first word, and no word may hold NUL")


def _make_directories(places: "Places", unit: str) -> None:
    for directory in (places.root(unit), places.unit_run(unit), small_files.parent(places.log(unit))):
        small_files.make_directories(directory)


def _write_files(places: "Places", unit: str, files: "list[tuple[str, bytes, int]]") -> None:
    """Write the files of ConfigMaps and Secrets, and remove those that an earlier form of the workload had."""
    paths = sorted({path for path, _content, _mode in files})
    if any("\n" in path for path in paths):
        raise StartError("InvalidPath", "a file's path may hold no line break")
    earlier = _read_lines(places.file_list(unit))
    if paths != earlier:
        workload_files.remove_files(places.root(unit), [path for path in earlier if path not in paths])
        _write_lines(places.file_list(unit), paths)
    workload_files.write_files(places.root(unit), files)


def _read_lines(path: str) -> "list[str]":
    return small_files.read_whole(path).decode().split("\n")[:-1]


def _write_lines(path: str, lines: "list[str]") -> None:
    small_files.write_private(path, "".join([line + "\n" for line in lines]).encode())
