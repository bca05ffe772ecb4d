"""BlueZ's GATT client side for python-dbusmock: devices that advertise, connect, and have characteristics.

python-dbusmock's own template of BlueZ has adapters and devices that connect; it has no advertisements as BlueZ tells
them, and no GATT. This one adds both, behind the D-Bus interfaces of BlueZ's documentation (org.bluez.Device,
org.bluez.GattService, org.bluez.GattCharacteristic). Runs in Debian's Python:

    python3 -m dbusmock --system --template bluez_template.py

The interface org.bluez.Mock at "/" is what a test does to the device: Drop, Notify, SetAway, RemoveAdapter.
"""

import dbus
import dbus.service
from dbusmock import OBJECT_MANAGER_IFACE, mockobject
from dbusmock.templates import bluez5
from gi.repository import GLib

BUS_NAME = "org.bluez"
MAIN_OBJ = "/"
SYSTEM_BUS = True
IS_OBJECT_MANAGER = True

MOCK = "org.bluez.Mock"
ADAPTER_PATH = "/org/bluez/hci0"
DEVICE_IFACE = "org.bluez.Device1"
SERVICE_IFACE = "org.bluez.GattService1"
CHARACTERISTIC_IFACE = "org.bluez.GattCharacteristic1"
TICK_MS = 50

THERMOMETER = "C4:11:22:33:44:55"
UNREACHABLE = "C4:99:99:99:99:99"  # it advertises, and takes no connection
SENSOR = "C4:11:22:33:44:66"
BASE = "0000%s-0000-1000-8000-00805f9b34fb"
BTHOME = bytes.fromhex("4002c40903bf13")


class Object(dbus.service.Object):
    """An object with properties, as the mock's object manager lists it."""

    def __init__(self, manager, path, interface, props):
        self.path = path
        self.interface = interface
        self.props = {interface: props}
        self.methods = {interface: {}}  # python-dbusmock looks here first
        self.manager = manager
        dbus.service.Object.__init__(self, manager.bus_name, path)
        mockobject.objects[path] = self
        manager.EmitSignal(OBJECT_MANAGER_IFACE, "InterfacesAdded", "oa{sa{sv}}", [dbus.ObjectPath(path), self.props])

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        return self.props[interface]

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.props[interface][name]

    @dbus.service.signal(dbus.PROPERTIES_IFACE, signature="sa{sv}as")
    def PropertiesChanged(self, interface, changed, invalidated):
        pass

    def change(self, **values):
        self.props[self.interface].update(values)
        self.PropertiesChanged(self.interface, values, dbus.Array([], signature="s"))


class Device(Object):
    def __init__(self, manager, address, name, **advertised):
        self.characteristics = {}
        self.is_away = False
        self.waiting = None
        props = {
            "Address": address,
            "AddressType": "random",
            "Adapter": dbus.ObjectPath(ADAPTER_PATH),
            "Alias": name,
            "Name": name,
            "Connected": dbus.Boolean(False),
            "Paired": dbus.Boolean(False),
            "Trusted": dbus.Boolean(False),
            "Blocked": dbus.Boolean(False),
            "LegacyPairing": dbus.Boolean(False),
            "ServicesResolved": dbus.Boolean(False),
            "UUIDs": dbus.Array([BASE % "181a"], signature="s"),
            "RSSI": dbus.Int16(-60),
        }
        props.update(advertised)
        Object.__init__(self, manager, ADAPTER_PATH + "/dev_" + address.replace(":", "_"), DEVICE_IFACE, props)

    def advertise(self):
        if not self.is_away and not self.props[DEVICE_IFACE]["Connected"]:
            self.change(RSSI=dbus.Int16(-61 if self.props[DEVICE_IFACE]["RSSI"] == -60 else -60))

    @dbus.service.method(DEVICE_IFACE, async_callbacks=("reply", "fail"))
    def Connect(self, reply, fail):
        if self.is_away or not self.characteristics:
            self.waiting = fail  # as over the air: nothing comes, until it is given up
            return
        self.change(Connected=dbus.Boolean(True))
        GLib.timeout_add(10, self.resolve)
        reply()

    @dbus.service.method(DEVICE_IFACE)
    def Disconnect(self):
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting(dbus.DBusException("le-connection-abort-by-local", name="org.bluez.Error.Failed"))
        self.drop()

    def resolve(self):
        if self.props[DEVICE_IFACE]["Connected"]:
            self.change(ServicesResolved=dbus.Boolean(True))
        return False

    def drop(self):
        if self.props[DEVICE_IFACE]["Connected"]:
            for characteristic in self.characteristics.values():
                characteristic.is_notifying = False
                characteristic.end_read()
            self.change(Connected=dbus.Boolean(False), ServicesResolved=dbus.Boolean(False))


class Service(Object):
    def __init__(self, manager, device, number, uuid):
        props = {"UUID": uuid, "Device": dbus.ObjectPath(device.path), "Primary": dbus.Boolean(True)}
        Object.__init__(self, manager, "%s/service%04x" % (device.path, number), SERVICE_IFACE, props)


class Characteristic(Object):
    def __init__(self, manager, device, service, number, uuid, flags, value):
        self.device = device
        self.value = value  # None: it refuses; "": it never answers
        self.is_notifying = False
        self.reading = None
        props = {
            "UUID": uuid,
            "Service": dbus.ObjectPath(service.path),
            "Flags": dbus.Array(flags, signature="s"),
            "MTU": dbus.UInt16(185),
            "Notifying": dbus.Boolean(False),
        }
        Object.__init__(self, manager, "%s/char%04x" % (service.path, number), CHARACTERISTIC_IFACE, props)
        device.characteristics[uuid] = self

    @dbus.service.method(
        CHARACTERISTIC_IFACE, in_signature="a{sv}", out_signature="ay", async_callbacks=("reply", "fail")
    )
    def ReadValue(self, options, reply, fail):
        if not self.device.props[DEVICE_IFACE]["Connected"]:
            fail(dbus.DBusException("Not connected", name="org.bluez.Error.Failed"))
        elif self.value is None:
            fail(dbus.DBusException("Read not permitted", name="org.bluez.Error.NotPermitted"))
        elif self.value == "":
            self.reading = fail
        else:
            reply(dbus.ByteArray(self.value))

    def end_read(self):
        if self.reading is not None:
            reading, self.reading = self.reading, None
            reading(dbus.DBusException("Not connected", name="org.bluez.Error.Failed"))

    @dbus.service.method(CHARACTERISTIC_IFACE, in_signature="aya{sv}")
    def WriteValue(self, value, options):
        data = bytes(value)
        if "write" in self.props[CHARACTERISTIC_IFACE]["Flags"] and len(data) != 2:
            raise dbus.DBusException("Invalid Length", name="org.bluez.Error.InvalidValueLength")
        self.value = data

    @dbus.service.method(CHARACTERISTIC_IFACE)
    def StartNotify(self):
        self.is_notifying = True

    @dbus.service.method(CHARACTERISTIC_IFACE)
    def StopNotify(self):
        self.is_notifying = False

    def notify(self, data):
        self.value = data
        if self.is_notifying:
            self.change(Value=dbus.ByteArray(data))


def load(mock, parameters):
    bluez5.load(mock, parameters)
    mock.devices = {}
    mock.begin = lambda: begin(mock)
    mock.set_away = lambda is_away: set_away(mock, is_away)
    notify = "self.devices[%r].characteristics[%r].notify(bytes(args[0]))" % (THERMOMETER, BASE % "2a6e")
    mock.AddMethods(
        MOCK,
        [
            ("Begin", "", "", "self.begin()"),
            ("Drop", "", "", "self.devices[%r].drop()" % THERMOMETER),
            ("Notify", "ay", "", notify),
            ("SetAway", "b", "", "self.set_away(bool(args[0]))"),
            ("IsConnected", "", "b", "ret = self.devices[%r].props[%r]['Connected']" % (THERMOMETER, DEVICE_IFACE)),
        ],
    )


START = "self.is_discovering = True"
STOP = "self.is_discovering = False"


def tick(mock):
    adapter = mockobject.objects.get(ADAPTER_PATH)
    if adapter is not None and adapter.is_discovering:
        for device in mock.devices.values():
            device.advertise()
    return True


def begin(mock):
    """The adapter and the devices; only now, because the mock's own object is not there while it loads."""
    bluez5.AddAdapter(mock, "hci0", "edgelite")
    adapter = mockobject.objects[ADAPTER_PATH]
    adapter.props["org.bluez.Adapter1"]["Roles"] = dbus.Array(["central"], signature="s")
    adapter.is_discovering = False
    adapter.AddMethods(
        "org.bluez.Adapter1",
        [("StartDiscovery", "", "", START), ("StopDiscovery", "", "", STOP), ("SetDiscoveryFilter", "a{sv}", "", "")],
    )
    add_devices(mock)
    GLib.timeout_add(TICK_MS, tick, mock)


def add_devices(mock):
    thermometer = Device(mock, THERMOMETER, "Thermometer")
    service = Service(mock, thermometer, 1, BASE % "181a")
    for number, uuid, flags, value in (
        (2, BASE % "2a6e", ["read", "notify"], b"\x66\x08"),
        (5, BASE % "2a21", ["read", "write"], b"\x3c\x00"),
        (8, BASE % "2a06", ["write-without-response"], b""),
        (11, BASE % "2a99", ["read"], None),
        (14, "f000aa01-0451-4000-b000-000000000000", ["read"], ""),
    ):
        Characteristic(mock, thermometer, service, number, uuid, flags, value)
    data = dbus.Dictionary({BASE % "fcd2": dbus.ByteArray(BTHOME)}, signature="sv")
    sensor = Device(mock, SENSOR, "DIY-sensor", ServiceData=data, UUIDs=dbus.Array([BASE % "fcd2"], signature="s"))
    mock.devices = {UNREACHABLE: Device(mock, UNREACHABLE, "Wall"), THERMOMETER: thermometer, SENSOR: sensor}


def set_away(mock, is_away):
    mock.devices[THERMOMETER].is_away = is_away
    if is_away:
        mock.devices[THERMOMETER].drop()
