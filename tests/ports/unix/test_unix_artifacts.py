"""Artifacts on a real file system, under whichever runtime runs this: received in pieces, checked, unpacked, removed;
and archives that no artifact may be."""

import binascii

from unix_bench import new_directory, with_agent, workload

from edgelite.ustar import UstarError
from edgelite_ports.posix import files, system
from edgelite_ports.posix.artifacts import ArtifactStore
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import PlatformError


def entry(path, content=b"", kind=b"0", mode=0o644, target=b""):
    """One entry of a ustar archive."""
    name = path if isinstance(path, bytes) else path.encode()
    head = bytearray(512)
    head[0 : len(name)] = name
    head[100:108] = b"%07o\0" % mode
    head[108:116] = head[116:124] = b"0000000\0"
    head[124:136] = b"%011o\0" % (len(content) if kind == b"0" else 0)
    head[136:148] = b"00000000000\0"
    head[148:156] = b" " * 8
    head[156:157] = kind
    head[157 : 157 + len(target)] = target
    head[257:265] = b"ustar\x0000"
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + content + bytes(-len(content) % 512)


def archive(*entries):
    return b"".join(entries) + bytes(1024)


def with_store(test):
    def run():
        directory = new_directory()
        try:
            test(ArtifactStore(directory), directory)
        finally:
            files.remove_tree(directory)

    return run


def receive(store, data, piece_bytes=1000):
    digest = sha256(data).digest()
    for offset in range(0, len(data), piece_bytes):
        assert store.offset_bytes(digest) == offset
        store.append(digest, offset, data[offset : offset + piece_bytes])
    return digest


GOOD = archive(
    entry("bin", kind=b"5", mode=0o755),
    entry("bin/run", b'#!/bin/sh\necho ran; cat "$EDGELITE_ARTIFACT/data"\n', mode=0o755),
    entry("data", b"x" * 1500),
    entry("bin/data", kind=b"2", target=b"../data"),
    entry("deep/er/file", b"1"),
)


@with_store
def test_it_is_received_in_pieces_checked_and_unpacked(store, directory):
    digest = receive(store, GOOD)
    store.install(digest)
    root = store.root(digest)
    assert files.read_whole(root + "/bin/data") == b"x" * 1500
    assert system.stat(root + "/bin/run").st_mode & 0o777 == 0o755
    assert system.stat(root + "/data").st_mode & 0o777 == 0o644
    assert files.read_whole(root + "/deep/er/file") == b"1"
    assert store.offset_bytes(digest) == len(GOOD)
    assert files.names(directory) == [hexed(digest), hexed(digest) + ".size"]
    store.install(digest)  # once is enough


@with_store
def test_a_piece_out_of_place_is_refused(store, _directory):
    digest = sha256(GOOD).digest()
    store.append(digest, 0, GOOD[:100])
    for offset in (0, 99, 101):
        expect(PlatformError, store.append, digest, offset, b"x")
    assert store.offset_bytes(digest) == 100
    store.discard(digest)
    assert store.offset_bytes(digest) == 0


@with_store
def test_a_wrong_digest_is_thrown_away(store, directory):
    digest = sha256(GOOD).digest()
    store.append(digest, 0, GOOD[:-1] + b"x")
    expect(PlatformError, store.install, digest)
    assert files.names(directory) == []


@with_store
def test_what_nobody_names_is_removed(store, directory):
    kept = receive(store, GOOD)
    store.install(kept)
    gone = receive(store, archive(entry("a", b"1")))
    store.install(gone)
    half = sha256(b"half").digest()
    store.append(half, 0, b"ha")
    removed = store.collect_garbage([kept])
    assert sorted(removed) == sorted([hexed(gone), hexed(gone) + ".size", hexed(half) + ".part"])
    assert files.names(directory) == [hexed(kept), hexed(kept) + ".size"]


HOSTILE = {
    "absolute": (entry("/etc/passwd", b"x"),),
    "upwards": (entry("../outside", b"x"),),
    "upwards in the middle": (entry("a/../../outside", b"x"),),
    "a link out": (entry("link", kind=b"2", target=b"../outside"),),
    "an absolute link": (entry("link", kind=b"2", target=b"/etc"),),
    "through a link": (entry("link", kind=b"2", target=b"real"), entry("real", kind=b"5"), entry("link/file", b"x")),
    "over a link": (entry("link", kind=b"2", target=b"real"), entry("link", b"x")),
    "twice": (entry("a", b"1"), entry("a", b"2")),
    "through a file": (entry("a", b"1"), entry("a/b", b"2")),
    "a hard link": (entry("a", kind=b"1", target=b"b"),),
    "a device": (entry("a", kind=b"3"),),
    "a FIFO": (entry("a", kind=b"6"),),
    "no UTF-8": (entry(b"a\xff", b"1"),),
    "a name with a NUL inside": (entry(b"a\0b", b"1"),),
}


@with_store
def test_hostile_archives_are_refused_and_leave_nothing(store, directory):
    for name in sorted(HOSTILE):
        digest = receive(store, archive(*HOSTILE[name]))
        expect(UstarError, store.install, digest)
        assert store.root(digest) is None, name
        assert files.names(directory) == [hexed(digest) + ".tar"], name
        store.collect_garbage([])
    assert not files.is_there(directory + "/../outside")


@with_store
def test_cut_and_padded_archives_are_refused(store, _directory):
    whole = archive(entry("a", b"x" * 600))
    for data in (
        whole[:512],
        whole[:1100],
        whole[:-1024],
        whole[:-512],
        whole + b"x",
        whole[:1200] + b"x" + whole[1201:],
    ):
        expect(UstarError, store.install, receive(store, data))


@with_store
def test_a_large_file_goes_through_whole(store, _directory):
    content = bytes(range(256)) * 1200
    digest = receive(store, archive(entry("large", content)), 65000)
    store.install(digest)
    assert sha256(files.read_whole(store.root(digest) + "/large")).digest() == sha256(content).digest()


@with_agent
def test_a_workload_runs_from_it(agent):
    digest = receive(agent.artifacts, GOOD)
    agent.desire(workload("run", digest=digest))
    agent.turn()
    assert agent.state() == "waiting"
    agent.artifacts.install(digest)
    agent.supervisor.artifact_ready(digest, 0)
    agent.run_until(lambda: agent.state() == "completed")
    assert agent.log() == "ran\n" + "x" * 1500


def hexed(digest):
    return binascii.hexlify(digest).decode()


def expect(kind, call, *arguments):
    try:
        call(*arguments)
    except kind:
        return
    raise AssertionError("accepted")


@with_store
def test_installing_comes_in_small_steps(store, _directory):
    """What a port without threads steps between its rounds: no step has more than 16 KiB to do."""
    content = bytes(range(256)) * 1200
    digest = receive(store, archive(entry("large", content), entry("small", b"1")), 65000)
    steps = 0
    for _ in store.install_steps(digest):
        steps += 1
    assert steps >= 2 * len(content) // 16384
    assert files.read_whole(store.root(digest) + "/small") == b"1"
