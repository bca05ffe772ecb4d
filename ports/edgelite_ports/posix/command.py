"""Finding what a workload's command names, before anything is forked, so that what is wrong has a name.

CommandNotFound     no such file; `#!` names an interpreter that is not there
PermissionDenied    it is there and not executable
ExecFormat          an ELF program for another machine
InvalidPath         a path that leaves the directory it belongs to
"""

from edgelite_ports.posix import files, system

PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEAD_BYTES = 256  # enough for an ELF header's machine field and the kernel's limit on a `#!` line
_KERNEL_MACHINES = {"x86_64": 62, "aarch64": 183}  # uname's word for kernels that may carry a 32-bit user land
# e_machine: programs of the right-hand ones run on kernels for the left-hand one
_RUNS_ALSO = {62: (3,), 183: (40,)}  # x86-64: i386; aarch64: arm
_MACHINE_NAMES = {3: "i386", 8: "mips", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}
_BINFMT_DIRECTORY = "/proc/sys/fs/binfmt_misc"


class StartError(Exception):
    """A workload cannot be started: `reason` is a word for a status, `message` for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason + ": " + message)
        self.reason = reason
        self.message = message


def confined(root: str, path: str) -> str:
    """`path`, absolute or relative, as a path under `root`; StartError where it would leave it by ".."."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise StartError("InvalidPath", "%s: no part of a path may be .." % path)
    return root + "/" + "/".join(parts) if parts else root


def find_program(word: str, directory: str, artifact_root: "str | None", search_path: str) -> str:
    """The absolute path of the program that `word`, a command's first, names.

    A plain name is looked up in `search_path`; a relative path starts at `directory`; an absolute one is looked up
    under the artifact's root first, then as it stands.
    """
    if "/" not in word:
        return _search(word, search_path)
    if not word.startswith("/"):
        return _checked(files.normal(files.join(directory, word)), word)
    if artifact_root is not None and files.is_there(confined(artifact_root, word)):
        return _checked(confined(artifact_root, word), word)
    return _checked(word, word)


def _search(word: str, search_path: str) -> str:
    denied = ""
    for place in search_path.split(":"):
        path = files.join(place, word)
        if place.startswith("/") and files.is_file(path):
            if system.is_executable(path):
                return _checked(path, word)
            denied = path
    if denied:
        raise StartError("PermissionDenied", "%s is not executable" % denied)
    raise StartError("CommandNotFound", '"%s" is not in PATH (%s)' % (word, search_path))


def _checked(path: str, word: str) -> str:
    try:
        mode = system.stat(path).st_mode
    except OSError as error:
        text = '"%s": no program at %s (%s)' % (word, path, files.reason(error))
        raise StartError("CommandNotFound", text) from error
    if not files.is_file_mode(mode) or not system.is_executable(path):
        raise StartError("PermissionDenied", "%s is not an executable file" % path)
    _check_format(path)
    return path


def _check_format(path: str) -> None:
    try:
        head = files.read_small(path, _HEAD_BYTES)
    except OSError as error:
        if error.errno != files.EACCES:
            raise
        return  # executable and not readable: the kernel can tell, we cannot
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n")[0].split()
        if words and not files.exists(files.text_of(words[0])):
            text = "%s asks for the interpreter %s, which is not there" % (path, files.text_of(words[0]))
            raise StartError("CommandNotFound", text)
    elif head.startswith(b"\x7fELF"):
        _check_machine(path, head)


def _check_machine(path: str, head: bytes) -> None:
    """The kernel would refuse it, and the shell would then try to read it as a script."""
    theirs, ours = _machine(head), _machine(files.read_small("/proc/self/exe", _HEAD_BYTES))
    kernel = _KERNEL_MACHINES.get(system.machine(), ours)
    if theirs in (ours, kernel) or theirs in _RUNS_ALSO.get(kernel, ()) or _has_emulators():
        return
    text = "%s is built for %s, this machine is %s" % (path, _machine_name(theirs), _machine_name(ours))
    raise StartError("ExecFormat", text)


def _machine(head: bytes) -> int:
    """e_machine of an ELF header; EI_DATA says in which byte order."""
    return int.from_bytes(head[18:20], "big" if head[5:6] == b"\x02" else "little")


def _machine_name(machine: int) -> str:
    return _MACHINE_NAMES.get(machine, "machine %d" % machine)


def _has_emulators() -> bool:
    """Something like qemu-user may be registered for foreign programs; then the kernel decides."""
    try:
        return any(name.startswith("qemu-") for name in system.listdir(_BINFMT_DIRECTORY))
    except OSError:
        return False
