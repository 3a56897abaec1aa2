"""Who stands where. The picture:

    plc ----lan1--+                              +--off1---- scada
    meter --lan2--+   field             office   |
    camera -lan3--+---------  gateway  ----------+
    rogue --lan4--+                              +--wan----- cloud  (router, DNS, broker)
                                        uplink

Every line is a veth pair of its own: nothing joins two of them but the gateway. af_packet and AF_XDP ports alternate.
"""
import dataclasses
import os

from . import netns

GATEWAY_MAC = {"field": "02:53:50:00:10:01", "office": "02:53:50:00:10:02", "uplink": "02:53:50:00:10:03"}
GATEWAY_ADDRESS = {"field": ("10.20.0.1", "fd00:20::1"), "office": ("10.30.0.1", "fd00:30::1"),
                   "uplink": ("192.0.2.2", "2001:db8::2")}
PREFIX_LENGTH = (24, 64)
BROKER = ("203.0.113.9", "2001:db8:113::9")
BROKER_NAME = "broker.example"
NAME_SERVER = ("203.0.113.53", "2001:db8:113::53")


@dataclasses.dataclass
class Host:
    name: str
    segment: str
    port: str
    mac: str
    addresses: tuple
    namespace: netns.Namespace = None

    @property
    def v4(self):
        return self.addresses[0]

    @property
    def v6(self):
        return self.addresses[1]

    @property
    def gateway_mac(self):
        return GATEWAY_MAC[self.segment]

    @property
    def gateway(self):
        return GATEWAY_ADDRESS[self.segment]


def hosts():
    return {host.name: host for host in (
        Host("plc", "field", "lan1", "02:00:00:00:20:05", ("10.20.0.5", "fd00:20::5")),
        Host("meter", "field", "lan2", "02:00:00:00:20:06", ("10.20.0.6", "fd00:20::6")),
        Host("camera", "field", "lan3", "02:00:00:00:20:07", ("10.20.0.7", "fd00:20::7")),
        Host("rogue", "field", "lan4", "02:00:00:00:20:66", ("10.20.0.66", "fd00:20::66")),
        Host("scada", "office", "off1", "02:00:00:00:30:10", ("10.30.0.10", "fd00:30::10")),
        Host("cloud", "uplink", "wan", "02:00:00:00:40:01", ("192.0.2.1", "2001:db8::1")),
    )}


class Network:
    """The hosts' namespaces, the gateway's outer namespace ("gw", where setup finds the ports) and the wires."""

    def __init__(self, work_dir):
        self.gateway = netns.Namespace("gw")
        self.hosts = hosts()
        self.resolvers = {}
        for host in self.hosts.values():
            self._make(host)
            self.resolvers[host.name] = os.path.join(work_dir, host.name + ".resolv.conf")
            with open(self.resolvers[host.name], "w", encoding="ascii") as stream:
                stream.write("".join(f"nameserver {address}\n" for address in host.gateway) + "options timeout:2\n")

    def _make(self, host):
        host.namespace = netns.Namespace(host.name)
        # Duplicate address detection would only delay the start; a real device has long finished it.
        host.namespace.sysctl(net__ipv6__conf__default__accept_dad=0, net__ipv6__conf__all__accept_dad=0,
                              net__ipv6__conf__default__accept_ra=0, net__ipv6__conf__default__router_solicitations=0)
        netns.wire(self.gateway, host.port, host.namespace, "eth0", host.mac)
        for address, length, gateway in zip(host.addresses, PREFIX_LENGTH, host.gateway):
            host.namespace.ip("addr", "add", f"{address}/{length}", "dev", "eth0")
            if host.segment != "uplink":
                host.namespace.ip("route", "add", "default", "via", gateway)
        if host.name == "cloud":
            self._make_cloud(host.namespace)
        if host.name == "rogue":
            # An attacker knows the gateway's MAC without asking, and sends it what is for its neighbours.
            near = [address for other in self.hosts.values() if other.segment == "field" and other is not host
                    for address in other.addresses]
            for address in (*host.gateway, *near):
                host.namespace.ip("neigh", "add", address, "lladdr", host.gateway_mac, "dev", "eth0", "nud", "permanent")

    @staticmethod
    def _make_cloud(space):
        for address in (*BROKER, *NAME_SERVER):
            space.ip("addr", "add", address, "dev", "lo")
        # An attacker on the uplink sends to the gateway what is for the inside.
        for inside, version in (("10.20.0.0/24", 0), ("10.30.0.0/24", 0), ("fd00:20::/64", 1), ("fd00:30::/64", 1)):
            space.ip("route", "add", inside, "via", GATEWAY_ADDRESS["uplink"][version])

    def __getitem__(self, name):
        return self.hosts[name]

    def close(self):
        for host in self.hosts.values():
            host.namespace.delete()
        self.gateway.delete()
