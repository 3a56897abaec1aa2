"""An uplink that carries 1400 bytes: hosts with real stacks find that out from the gateway, and TCP never has to."""
import errno
import socket

from . import topology, variants, wait
from .check_nat import CONDUITS, DATAGRAMS, conversation, echoed
from .checks import check

MTU = 1400
FRAME = 14 + MTU
HEADS = (28, 48)  # IP's and ICMP's or UDP's
BASE = variants.base().replace("role: uplink,", f"role: uplink, mtu: {MTU},")
MAPPED = variants.base().replace("role: uplink,", f"role: uplink, napt44: true, mtu: {MTU},")
NARROW_FIELD = variants.base().replace("role: uplink,", "role: uplink, napt44: true,").replace("services: [dns]", f"services: [dns], mtu: {MTU}")


def ping(lab, name, target, *options):
    done = lab.host(name).namespace.run("ping", "-n", "-c", "1", "-W", "2", *options, target, check=False, timeout=20)
    return done.returncode, done.stdout + done.stderr


def forget_paths(lab, *names):
    """What earlier errors taught these hosts."""
    for name in names:
        for version in ("-4", "-6"):
            lab.host(name).namespace.ip(version, "route", "flush", "cache", check=False)


def longest_to_the_cloud(lab, mark):
    return max((len(frame.data) for _, frame in lab.captures.since(mark, "cloud") if frame.from_gateway), default=0)


@check("path-mtu", f"behind an uplink of {MTU} bytes a ping that may not be cut and does not fit is answered from the gateway's own address with that MTU, in both IP "
       "versions, with NAPT44 and without, and the sender's kernel believes it; what fits passes; what may be cut passes in pieces")
def path_mtu(lab):
    mark, told, passed, known = lab.captures.mark(), [], [], []
    for base in (BASE, MAPPED):
        lab.policy(CONDUITS, base=base)
        for version in (0, 1):
            own, target, head = lab.host("camera").gateway[version], topology.BROKER[version], HEADS[version]
            forget_paths(lab, "camera")
            passed.append(ping(lab, "camera", target, "-M", "do", "-s", str(MTU - head))[0])
            code, text = ping(lab, "camera", target, "-M", "do", "-s", str(MTU - head + 1))
            told.append(code != 0 and own in text and f"mtu={MTU}" in text.replace(" = ", "="))
            route = lab.host("camera").namespace.ip("route", "get", target).stdout
            known.append(f"mtu {MTU}" in route)
        forget_paths(lab, "camera")
        passed.append(ping(lab, "camera", topology.BROKER[0], "-M", "dont", "-s", str(1500 - HEADS[0]))[0])
    longest = longest_to_the_cloud(lab, mark)
    forget_paths(lab, "camera")
    return all(told) and all(known) and not any(passed) and longest == FRAME, \
        f"told {told}, believed {known}; exits of the pings that pass {passed}; the longest frame on the uplink {longest}"


@check("hop-limit", "a ping whose hops end at the gateway hears so from the gateway's address in its own segment, in both IP versions; one that no conduit allows hears nothing")
def hop_limit(lab):
    lab.policy(CONDUITS, base=BASE)
    told, silent = [], []
    for version in (0, 1):
        host = lab.host("camera")
        code, text = ping(lab, "camera", topology.BROKER[version], "-t", "1")
        told.append(code != 0 and host.gateway[version] in text and "xceeded" in text)
        code, text = ping(lab, "camera", lab.host("scada").addresses[version], "-t", "1")
        silent.append(code != 0 and host.gateway[version] not in text)
    return all(told) and all(silent), f"told {told}, silent where nothing is allowed {silent}"


@check("path-mtu-tcp", f"TCP to a server that asks for 1460 bytes goes there and back whole over an uplink of {MTU}, with NAPT44 and without, in both IP versions: both ends were "
       "told in their handshake, and nothing is dropped for its size")
def path_mtu_tcp(lab):
    mark, whole, sizes = lab.captures.mark(), [], []
    before = lab.gateway.read("show", "counters")["drops"]["too-big"]
    for base in (BASE, MAPPED):
        lab.policy(CONDUITS, base=base)
        for version in (0, 1):
            forget_paths(lab, "camera", "cloud")
            with conversation(lab, "camera", version) as (client, server, _):
                whole.append(echoed(client, server))
                sizes.append(tuple(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for one in (client, server)))
    dropped = lab.gateway.read("show", "counters")["drops"]["too-big"] - before
    longest = longest_to_the_cloud(lab, mark)
    fits = all(size <= MTU - (40, 60)[place % 2] for place, pair in enumerate(sizes) for size in pair)
    return all(whole) and fits and dropped == 0 and longest == FRAME, \
        f"{sum(whole)} of 4 transfers whole; segments {sizes}; {dropped} dropped; the longest frame on the uplink {longest}"


def refusals_until_learned(sender, size, target):
    """errno of each refused try to send so much; the kernel refuses once it has learned that it does not fit."""
    refusals = []

    def refused():
        try:
            sender.sendto(bytes(size), target)
        except OSError as error:
            refusals.append(error.errno)
        return bool(refusals)
    wait.holds(refused, 5)
    return [errno.errorcode.get(number, number) for number in refusals]


def never_cut(one, version=0):
    """Its datagrams carry "do not fragment", and the kernel refuses what it knows not to fit."""
    level, option = ((socket.IPPROTO_IP, 10), (socket.IPPROTO_IPV6, 23))[version]  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER
    one.setsockopt(level, option, 2)  # IP_PMTUDISC_DO
    return one


def tap_mtu(lab):
    return lab.gateway.segment("uplink").ip("link", "show", "tap0").stdout.split(" mtu ")[1].split()[0]


@check("path-mtu-own-stack", f"the gateway's own stack has a TAP of the uplink's {MTU} bytes and sends nothing longer, in both IP versions; of 1500 before and after")
def own_stack(lab):
    lab.policy()
    taps = [tap_mtu(lab)]
    lab.policy(base=BASE)
    taps.append(tap_mtu(lab))
    space, refusals = lab.gateway.segment("uplink"), []
    for version, family in enumerate((socket.AF_INET, socket.AF_INET6)):
        target = (topology.NAME_SERVER[version], 53)
        with never_cut(space.inside(lambda: socket.socket(family, socket.SOCK_DGRAM)), version) as one:  # noqa: B023
            refusals.append(refusals_until_learned(one, 1500 - HEADS[version], target))
            one.sendto(bytes(MTU - HEADS[version]), target)
    lab.policy()
    taps.append(tap_mtu(lab))
    return refusals == [["EMSGSIZE"]] * 2 and taps == ["1500", str(MTU), "1500"], f"refused with {refusals}; the TAP carried {', '.join(taps)}"


@check("path-mtu-napt44", f"a host outside that answers a device behind NAPT44 with more than the device's segment carries is told so about its own packet: its kernel "
       f"learns {MTU} and refuses the next one")
def outside_is_told(lab):
    lab.policy(CONDUITS, base=NARROW_FIELD)
    forget_paths(lab, "cloud")
    family, broker = socket.AF_INET, topology.BROKER[0]

    def opened(name):
        one = lab.host(name).namespace.inside(lambda: socket.socket(family, socket.SOCK_DGRAM))
        one.settimeout(5)
        return one
    with opened("cloud") as server, opened("camera") as client:
        server.bind((broker, DATAGRAMS))
        never_cut(server)
        client.sendto(b"how much?", (broker, DATAGRAMS))
        _, peer = server.recvfrom(100)
        refusals = refusals_until_learned(server, 1500 - HEADS[0], peer)
        route = lab.host("cloud").namespace.ip("route", "get", peer[0], "from", broker).stdout
        server.sendto(bytes(MTU - HEADS[0]), peer)
        arrived = len(client.recv(2000))
    forget_paths(lab, "cloud")
    return refusals == ["EMSGSIZE"] and arrived == MTU - HEADS[0], \
        f"refused with {refusals}; route {' '.join(route.split())}; {arrived} bytes arrived of what fits"
