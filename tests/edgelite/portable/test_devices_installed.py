"""Which drivers a node announces."""

import os

from edgelite.devices.installed import announced_drivers, installed_drivers


class Package:
    MACHINERY = ("fields",)
    SHIPPED = ("modbus", "ble")

    def __init__(self, path) -> None:
        self.__path__ = path


def listing(*entries: str):
    def list_folder(folder: str) -> "list[str]":
        assert folder == "somewhere"
        return list(entries)

    return list_folder


def test_modules_and_packages_are_drivers_and_machinery_is_not() -> None:
    found = installed_drivers(
        listing("__init__.py", "__pycache__", "modbus", "fields.py", "thermometer.py", "ble.mpy", "py.typed", "a.txt"),
        Package(["somewhere"]),
    )
    assert found == ("ble", "modbus", "thermometer")


def test_the_path_of_micropython_is_text() -> None:
    assert installed_drivers(listing("one.mpy"), Package("somewhere")) == ("one",)


def test_without_a_folder_what_came_along_counts() -> None:
    def list_folder(folder: str) -> "list[str]":
        raise OSError(2)

    assert installed_drivers(list_folder, Package([".frozen/edgelite_drivers"])) == ("ble", "modbus")


def test_what_this_tree_ships_is_what_its_package_says() -> None:
    package = __import__("edgelite_drivers")
    found = installed_drivers(os.listdir)
    # Bluetooth is frozen only into a firmware for a board that has a radio, and that adds it by its configuration.
    assert tuple(name for name in found if name != "ble") == package.SHIPPED


def test_what_agent_conf_names_is_announced_too() -> None:
    assert announced_drivers(("modbus", "serial"), {"thermo": None, "modbus": None}) == ("modbus", "serial", "thermo")
