"""Headers of archives that an artifact may be, and of those that it may not."""

from edgelite.ustar import DIRECTORY, FILE, SYMLINK, Reader, UstarError, blocks_of, parse_header


def header(path=b"a", kind=b"0", size=0, mode=0o644, target=b"", prefix=b"", magic=b"ustar\x0000"):
    """One valid header, or an invalid one with a valid checksum."""
    block = bytearray(512)
    fields = (
        (0, path),
        (100, b"%07o\0" % mode),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size if isinstance(size, bytes) else b"%011o\0" % size),
        (136, b"00000000000\0"),
        (156, kind),
        (157, target),
        (257, magic),
        (345, prefix),
    )
    for offset, value in fields:
        block[offset : offset + len(value)] = value
    return with_sum(block)


def with_sum(block):
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def refused(block, code):
    try:
        parse_header(block)
    except UstarError as error:
        assert error.code == code, (error.code, code, error.text)
    else:
        raise AssertionError("accepted; expected " + code)


def test_a_file():
    entry = parse_header(header(b"bin/run.sh", size=1025, mode=0o4777))
    assert (entry.path, entry.kind, entry.size_bytes, entry.mode) == ("bin/run.sh", FILE, 1025, 0o755)
    assert blocks_of(entry) == 3
    assert blocks_of(parse_header(header(size=1024))) == 2
    assert blocks_of(parse_header(header())) == 0


def test_a_directory_and_a_link():
    entry = parse_header(header(b"lib/", b"5", mode=0o000))
    assert (entry.path, entry.kind, entry.mode) == ("lib", DIRECTORY, 0o400)
    assert parse_header(header(b"./", b"5")).path == "."
    entry = parse_header(header(b"lib/a.so", b"2", target=b"a.so.1"))
    assert (entry.path, entry.kind, entry.target) == ("lib/a.so", SYMLINK, "a.so.1")


def test_a_long_path_is_split_over_prefix_and_name():
    assert parse_header(header(b"name", prefix=b"some/where")).path == "some/where/name"
    assert parse_header(header(b"n" * 100, prefix=b"p" * 155)).path == "p" * 155 + "/" + "n" * 100


def test_dots_and_doubled_slashes_vanish():
    assert parse_header(header(b"./a//b/./c")).path == "a/b/c"


def test_paths_that_lead_elsewhere_are_refused():
    for path in (
        b"/etc/passwd",
        b"../x",
        b"a/../../x",
        b"a/..",
        b"",
        b".",
        b"a/",
        b"\xff",
        b"a\0hidden",
        b"/".join([b"d"] * 33),
    ):
        refused(header(path), "ustar_path")
    for path in (b"/abs", b"../x", b"a/../.."):
        refused(header(path, b"5"), "ustar_path")
    refused(header(b"x", prefix=b"/etc"), "ustar_path")
    refused(header(b"x", prefix=b".."), "ustar_path")


def test_links_that_lead_elsewhere_are_refused():
    for path, target in (
        (b"a", b"/etc/passwd"),
        (b"a", b""),
        (b"a", b".."),
        (b"a", b"../x"),
        (b"d/a", b"../../x"),
        (b"d/a", b"b/../../x"),
        (b"d/a", b"b/.."),
        (b"d/e/a", b"../../../x"),
    ):
        refused(header(path, b"2", target=target), "ustar_link")
    for path, target in ((b"a", b"b"), (b"d/a", b"../b"), (b"d/e/a", b"../../b/c"), (b"a", b"./b")):
        assert parse_header(header(path, b"2", target=target)).target == target.decode()


def test_other_kinds_are_refused():
    for kind in b"1346789xgLKSVDMAN":
        refused(header(kind=bytes((kind,))), "ustar_type")


def test_numbers_that_are_none_are_refused():
    for size in (
        b"9" * 11 + b"\0",
        b"-0000000001\0",
        b"\x80" + b"\0" * 10 + b"\x01",
        b"           \0",
        bytes(12),
        b"12 4\0" + bytes(7),
    ):
        refused(header(size=size), "ustar_number")
    refused(header(b"d", b"5", size=1), "ustar_number")
    refused(header(b"l", b"2", size=1, target=b"t"), "ustar_number")


def test_another_format_is_refused():
    for magic in (b"ustar  \0", bytes(8), b"ustar\x0001", b"USTAR\x0000"):
        refused(header(magic=magic), "ustar_magic")


def test_each_changed_byte_of_a_header_is_refused_or_changes_nothing():
    """The checksum covers all but its own field, where a zero in front may as well be a space."""
    good = header(b"bin/run", size=77)
    told = parse_header(good).__dict__
    accepted = []
    for index in range(512):
        block = bytearray(good)
        block[index] ^= 0x10
        try:
            entry = parse_header(bytes(block))
        except UstarError:
            continue
        assert entry.__dict__ == told, index
        accepted.append(index)
    assert accepted == [148]


def test_an_archive_ends_with_two_blocks_of_zeros_and_nothing_else():
    reader = Reader()
    assert reader.header(header()) is not None
    try:
        reader.finish()
    except UstarError as error:
        assert error.code == "ustar_truncated"
    else:
        raise AssertionError("accepted without an end")
    assert reader.header(bytes(512)) is None
    assert reader.header(bytes(512)) is None
    reader.finish()
    try:
        reader.header(header())
    except UstarError as error:
        assert error.code == "ustar_padding"
    else:
        raise AssertionError("accepted an entry behind the end")


def test_a_partial_block_and_too_many_entries_are_refused():
    for reader, block, code in ((Reader(), header()[:511], "ustar_truncated"), (Reader(0), header(), "ustar_limit")):
        try:
            reader.header(block)
        except UstarError as error:
            assert error.code == code
        else:
            raise AssertionError("accepted")
