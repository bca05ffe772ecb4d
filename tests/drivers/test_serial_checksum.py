"""Checksums beside the package `crc` of PyPI, over all parameters that both have."""

from crc import Calculator, Configuration, Crc8, Crc16, Crc32, Crc64
from hypothesis import given, settings
from hypothesis import strategies as some

from edgelite_drivers.serial.checksum import CRCS, WIDTHS, Crc

KINDS = {8: Crc8, 16: Crc16, 32: Crc32, 64: Crc64}


@some.composite
def configurations(draw: some.DrawFn) -> Configuration:
    width = draw(some.sampled_from(WIDTHS))
    value = some.integers(0, (1 << width) - 1)
    return Configuration(width, draw(value), draw(value), draw(value), draw(some.booleans()), draw(some.booleans()))


def ours(theirs: Configuration) -> tuple[int, int, int, int, bool, bool]:
    return (
        theirs.width,
        theirs.polynomial,
        theirs.init_value,
        theirs.final_xor_value,
        theirs.reverse_input,
        theirs.reverse_output,
    )


@settings(max_examples=500, deadline=None)
@given(configurations(), some.binary(max_size=64))
def test_every_parameter_means_what_it_means_there(configuration: Configuration, data: bytes) -> None:
    assert Crc(ours(configuration)).of(data) == Calculator(configuration).checksum(data)


def test_every_name_has_its_parameters() -> None:
    theirs = {
        f"crc{width}-{found.name.lower().replace('_', '-')}": ours(found.value)
        for width, kind in KINDS.items()
        for found in kind
    }
    theirs["crc32"] = theirs.pop("crc32-crc32")
    theirs["crc64"] = theirs.pop("crc64-crc64")
    assert theirs == CRCS
