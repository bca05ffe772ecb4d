"""Where an error was raised, as both runtimes tell it."""

from edgelite_ports.common.error_place import place_of


def inner():
    raise ValueError("here")


def test_the_innermost_place_is_named():
    try:
        inner()
    except ValueError as error:
        place = place_of(error)
    name, _, line = place.partition(":")
    assert name == "test_error_place.py" and int(line) == 7


def test_an_error_that_was_never_raised_has_none():
    assert place_of(ValueError("nowhere")) == ""
