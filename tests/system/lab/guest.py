"""A machine whose NICs are on PCI: QEMU's own processor (TCG), a Debian kernel, an IOMMU, and the gateway's real programs in an
initramfs. Its wires are TAPs in the namespaces of the hosts outside.

    plc ---- virtio-net 0000:00:03.0 -+- gateway -+- 0000:00:04.0 e1000 ---- scada
"""
import dataclasses
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess

from . import netns, topology, wait
from .process import Process

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
MODULES = ("irqbypass", "vfio_virqfd", "vfio", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci", "tun")
PROGRAMS = {"/usr/sbin": ("sallyport-setup", "sallyport-dataplane", "sallyport-terminator", "sallyport-control"), "/usr/bin": ("sallyctl",)}
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
LOADER = "/lib64/ld-linux-x86-64.so.2"
DRIVERS = LIBRARIES + "/dpdk/pmds-23.0"
USERS = ("sallyport-dataplane", "sallyport-terminator", "sallyport-control")
MEMORY_MB = 1280
HERE = os.path.dirname(os.path.abspath(__file__))


class MissingKernel(Exception):
    pass


@dataclasses.dataclass
class Nic:
    port: str
    model: str
    slot: int
    host: topology.Host

    @property
    def address(self):
        return f"0000:00:{self.slot:02x}.0"

    def device(self):
        # A modern virtio device that lets the IOMMU see to it.
        options = ",disable-legacy=on,iommu_platform=on" if self.model.startswith("virtio") else ""
        return f"{self.model},id={self.port},netdev=wire-{self.port},addr={self.slot:#x},romfile={options}"


def nics():
    return (Nic("lan1", "virtio-net-pci", 3, topology.Host("pci-plc", "field", "lan1", "02:00:00:00:20:05", ("10.20.0.5", "fd00:20::5"))),
            Nic("off1", "e1000", 4, topology.Host("pci-scada", "office", "off1", "02:00:00:00:30:10", ("10.30.0.10", "fd00:30::10"))))


def kernel_folder():
    path = os.path.join(os.environ.get("SALLYPORT_CACHE", os.path.expanduser("~/.cache/sallyport")), "guest-kernel")
    if not os.path.exists(os.path.join(path, "vmlinuz")):
        raise MissingKernel(f"{path}: no kernel for the guest; ./dev deps brings it")
    return path


class Archive:
    """An initramfs (cpio, "newc": Documentation/driver-api/early-userspace/buffer-format.rst) in the making."""

    def __init__(self, path):
        self._file, self._made, self._count = open(path, "wb"), {"/"}, 0

    def _entry(self, name, mode, data=b""):
        self._count += 1
        fields = (self._count, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % value for value in fields) + name.encode() + b"\0"
        self._file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def folder(self, path):
        if path not in self._made:
            self.folder(os.path.dirname(path))
            self._made.add(path)
            self._entry(path.lstrip("/"), 0o040755)

    def file(self, path, data, mode=0o755):
        if path not in self._made:
            self.folder(os.path.dirname(path))
            self._made.add(path)
            self._entry(path.lstrip("/"), 0o100000 | mode, data)

    def link(self, path, target):
        if path not in self._made:
            self.folder(os.path.dirname(path))
            self._made.add(path)
            self._entry(path.lstrip("/"), 0o120777, target.encode())

    def copy(self, source, path=None):
        with open(source, "rb") as stream:
            self.file(path or source, stream.read())

    def take(self, source):
        """A file of this machine under its own name; a link as a link, so that one file is not two there."""
        place = os.path.join(os.path.realpath(os.path.dirname(source)), os.path.basename(source))
        if os.path.islink(place):
            self.link(place, os.readlink(place))
            self.take(os.path.join(os.path.dirname(place), os.readlink(place)))
        else:
            self.copy(place)

    def close(self):
        self._entry("TRAILER!!!", 0)
        self._file.close()


def needed(paths):
    """The shared objects that programs need, and those that these need, by the names under which they are looked for."""
    found, asked = {LOADER}, list(paths)
    while asked:
        names = set(re.findall(r"\(NEEDED\).*\[(.+)\]", netns.run("readelf", "--dynamic", "--wide", *asked).stdout))
        asked = [path for path in sorted(os.path.join(LIBRARIES, name) for name in names) if path not in found and os.path.exists(path)]
        found.update(asked)
    return sorted(found)


def build_image(path, build_dir, scratch, config):
    """Everything that the guest has: the gateway's programs without their symbols, what they need, all of DPDK's drivers, a shell."""
    archive = Archive(path)
    for folder in ("bin", "sbin", "lib", "lib64"):
        archive.link("/" + folder, "usr/" + folder)
    with open(os.path.join(HERE, "guest_init.sh"), "rb") as stream:
        archive.file("/init", stream.read())
    archive.copy("/usr/bin/busybox")
    for name in MODULES:
        archive.copy(os.path.join(kernel_folder(), name + ".ko"), f"/usr/lib/modules/{name}.ko")
    objects = []
    for folder, names in PROGRAMS.items():
        for name in names:
            lean = os.path.join(scratch, name)
            netns.run("strip", "-o", lean, os.path.join(build_dir, "bin", name))
            archive.copy(lean, f"{folder}/{name}")
            objects.append(lean)
    for tool in ("ovsdb-server", "ovsdb-tool", "setpriv"):
        found = shutil.which(tool)
        archive.copy(found, f"/usr/bin/{tool}")
        objects.append(found)
    drivers = [os.path.join(DRIVERS, name) for name in sorted(os.listdir(DRIVERS))]
    for item in (*drivers, *needed([*objects, *drivers])):
        archive.take(item)
    accounts = [("root", 0), *((name, 901 + number) for number, name in enumerate(USERS))]
    archive.file("/etc/passwd", "".join(f"{name}:x:{uid}:{uid}::/:/bin/false\n" for name, uid in accounts).encode(), 0o644)
    archive.file("/etc/group", "".join(f"{name}:x:{uid}:\n" for name, uid in (*accounts, ("sallyport", 900))).encode(), 0o644)
    archive.file("/etc/sallyport/gateway.yaml", config.encode(), 0o644)
    for folder in ("/proc", "/sys", "/dev", "/tmp", "/run", "/var/lib"):
        archive.folder(folder)
    archive.close()


class Wire:
    """A TAP whose network end is a host's eth0 and whose other end is for QEMU. It goes with its descriptor."""

    def __init__(self, host, name):
        self.descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        netns.run("ip", "link", "set", name, "netns", host.namespace.name, "name", "eth0")
        host.namespace.ip("link", "set", "eth0", "address", host.mac, "mtu", "9000")
        host.namespace.ip("link", "set", "eth0", "up")


class Guest:
    """After boot(): `run` is a command in it, `monitor` one of QEMU's."""

    def __init__(self, work_dir, log_dir):
        self._log_dir = log_dir
        self.nics = {nic.port: nic for nic in nics()}
        self.hosts = {nic.host.name: nic.host for nic in self.nics.values()}
        self._folder = os.path.join(work_dir, "guest")
        self._agent = self._monitor = self.process = None

    def boot(self, build_dir, config):
        os.makedirs(self._folder)
        image = os.path.join(self._folder, "image")
        build_image(image, build_dir, self._folder, config)
        wires = [self._plug(nic) for nic in self.nics.values()]
        self.process = Process("guest-qemu", self._command(image, wires), self._log_dir)
        self.process.start(keep=[wire.descriptor for wire in wires])
        for wire in wires:
            os.close(wire.descriptor)
        self._agent, self._monitor = (self._connect(name) for name in ("agent", "monitor"))
        self._line(self._monitor)  # its greeting
        self.monitor("qmp_capabilities")
        self._agent.settimeout(60)
        if self._line(self._agent) != b"0 0":
            raise RuntimeError("the guest does not greet, see guest/console")

    @staticmethod
    def _plug(nic):
        host = nic.host
        host.namespace = netns.Namespace(host.name)
        host.namespace.sysctl(net__ipv6__conf__default__accept_dad=0, net__ipv6__conf__all__accept_dad=0,
                              net__ipv6__conf__default__accept_ra=0, net__ipv6__conf__default__router_solicitations=0)
        wire = Wire(host, "pci-" + nic.port)
        for address, length, gateway in zip(host.addresses, topology.PREFIX_LENGTH, host.gateway):
            host.namespace.ip("addr", "add", f"{address}/{length}", "dev", "eth0")
            host.namespace.ip("route", "add", "default", "via", gateway)
        return wire

    def _command(self, image, wires):
        channel = lambda name: f"socket,id={name},path={self._folder}/{name},server=on,wait=off"  # noqa: E731
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "q35",
                   "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MB),
                   "-device", "intel-iommu,intremap=on,aw-bits=48", "-kernel", os.path.join(kernel_folder(), "vmlinuz"), "-initrd", image,
                   "-append", "console=ttyS0 quiet panic=-1 intel_iommu=on no_timer_check",
                   "-chardev", f"file,id=console,path={self._folder}/console", "-device", "isa-serial,chardev=console",
                   "-chardev", channel("agent"), "-device", "isa-serial,chardev=agent",
                   "-chardev", channel("monitor"), "-mon", "chardev=monitor,mode=control"]
        for nic, wire in zip(self.nics.values(), wires):
            command += ["-netdev", f"tap,id=wire-{nic.port},fd={wire.descriptor}", "-device", nic.device()]
        return command

    def _connect(self, name):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        wait.until(lambda: client.connect_ex(os.path.join(self._folder, name)) == 0 or not self.process.running(), 20, f"QEMU opens its {name}")
        return client

    def _receive(self, channel, most):
        data = channel.recv(most)
        if not data:
            with open(os.path.join(self._folder, "console"), encoding="utf-8", errors="replace") as stream:
                said = next((line.strip() for line in stream if "panic" in line), "nothing of it on its console")
            raise RuntimeError(f"the guest ended: {said}")
        return data

    def _line(self, channel):
        line = b""
        while not line.endswith(b"\n"):
            line += self._receive(channel, 1)
        return line.strip()

    def run(self, command, check=True, seconds=60):
        """One line of shell; (exit status, output)."""
        self._agent.settimeout(seconds)
        self._agent.sendall(command.encode() + b"\n")
        status, size = map(int, self._line(self._agent).split())
        output = b""
        while len(output) < size:
            output += self._receive(self._agent, size - len(output))
        text = output.decode(errors="replace")
        if check and status != 0:
            raise netns.CommandFailed(f"guest: {command}: {text.strip()}")
        return status, text

    def monitor(self, command, **arguments):
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            said = json.loads(self._line(self._monitor))
            if "error" in said:
                raise RuntimeError(f"QEMU: {command}: {said['error']['desc']}")
            if "return" in said:
                return said["return"]

    # -- the gateway in it

    def read(self, *arguments):
        """sallyctl's JSON."""
        return json.loads(self.run("sallyctl --json " + " ".join(arguments))[1])

    def port(self, name):
        return next(row for row in self.read("show", "counters")["ports"] if row["port"] == name)

    def start_gateway(self):
        """The configuration of its image in force, everywhere."""
        self.run("gateway")
        wait.until(lambda: self.run("sallyctl config apply --yes /etc/sallyport/gateway.yaml", check=False)[0] == 0, 60,
                   "the guest's gateway takes its revision")
        self.wait_in_force()

    def wait_in_force(self, seconds=60):
        def in_force():
            status, text = self.run("sallyctl --json status", check=False)
            return status == 0 and json.loads(text).get("state") == "in-force"
        wait.until(in_force, seconds, "a revision is in force in the guest")

    def close(self):
        for channel in (self._agent, self._monitor):
            if channel:
                channel.close()
        if self.process:
            self.process.stop()
        for host in self.hosts.values():
            if host.namespace:
                host.namespace.delete()
