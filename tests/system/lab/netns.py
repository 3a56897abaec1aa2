"""Network namespaces that stand for hosts, and the wires (veth pairs) between them and the gateway."""
import os
import subprocess

from . import linux


class CommandFailed(Exception):
    pass


def run(*argv, check=True, timeout=30, input_text=None):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, input=input_text, check=False)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done


class Namespace:
    def __init__(self, name, create=True):
        self.name = name
        self.path = f"/run/netns/{name}"
        if create:
            run("ip", "netns", "add", name)
            self.ip("link", "set", "lo", "up")

    def ip(self, *arguments, check=True):
        return run("ip", "-n", self.name, *arguments, check=check)

    def command(self, argv, resolver=None):
        """argv as run inside; with `resolver` a resolv.conf of its own that nobody else sees."""
        enter = ["nsenter", f"--net={self.path}"]
        if resolver is None:
            return [*enter, "--", *argv]
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return [*enter, "unshare", "--mount", "sh", "-c", script, resolver, *argv]

    def run(self, *argv, resolver=None, check=True, timeout=30, input_text=None):
        return run(*self.command(argv, resolver), check=check, timeout=timeout, input_text=input_text)

    def inside(self, function):
        return linux.in_namespace(self.path, function)

    def sysctl(self, **values):
        def write():
            for key, value in values.items():
                with open("/proc/sys/" + key.replace("__", "/"), "w", encoding="ascii") as stream:
                    stream.write(str(value))
        # /proc/sys/net shows the namespace of the task that opens it.
        self.inside(write)

    def exists(self):
        return os.path.exists(self.path)

    def delete(self):
        run("ip", "netns", "delete", self.name, check=False)


def wire(gateway, gateway_interface, host, host_interface, mac):
    """A veth pair; sums and segmentation are done by the hosts in software, as on a copper wire."""
    gateway.ip("link", "add", gateway_interface, "type", "veth", "peer", "name", host_interface, "netns", host.name)
    host.ip("link", "set", host_interface, "address", mac)
    for space, interface in ((gateway, gateway_interface), (host, host_interface)):
        space.run("ethtool", "-K", interface, "tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off",
                  "gro", "off", check=False)
    host.ip("link", "set", host_interface, "up")
