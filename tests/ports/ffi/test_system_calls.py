"""The C library's functions by name, as the shared code for processes calls them (micropython/unix/system.py)."""

import sys

from edgelite_ports.micropython.unix import libc, system


def test_a_library_without_wide_names_is_called_by_the_plain_ones():
    assert system.with_wide_offsets("i", "getpid64", "")() == libc.function("i", "getpid", "")()  # as in musl
    try:
        system.with_wide_offsets("i", "no_such_function", "")
    except OSError:
        return
    raise AssertionError("found")


def test_a_path_with_a_nul_is_refused_and_not_cut():
    try:
        system.stat("/etc\0/passwd")
    except OSError as error:
        assert error.errno == system.EINVAL
        return
    raise AssertionError("accepted")


def test_what_cannot_be_spawned_is_an_error_here():
    for path, number in (("/no/such/program", 2), ("/etc/passwd", 13)):
        try:
            system.spawn([path], {})
        except OSError as error:
            assert error.errno == number
        else:
            raise AssertionError("spawned " + path)


def test_exit_codes_and_signals_of_children():
    assert system.wait(system.spawn(["/bin/sh", "-c", "exit 7"], {"PATH": "/bin"})) == 7
    assert system.wait(system.spawn(["/bin/sh", "-c", "kill -9 $$"], {"PATH": "/bin"})) == -9
    pid = system.spawn(["/bin/sh", "-c", 'test "$A" = "b c" && test $# = 1', "sh", "one"], {"A": "b c"})
    assert system.wait(pid) == 0
    assert sys.implementation.name == "micropython"
