"""The proof: a fault in the tables is found with a packet that `explain` and the wire confirm; what `sallyctl prove` lists is what the
wire does; devices that the gateway cannot keep apart are named."""
import os

from . import bare, frames, topology, variants, wait
from .checks import check
from .devices import connects
from .sender import Sender

PORTS = (22, 53, 80, 443, 502, 503, 802, 1883, 8883, 9000)


def faulty_gateway(lab):
    """Setup and a dataplane under the stand-in for control, with gateway.yaml and one direct conduit in force; and the file of what a
    faulty compiler would make of it: one port more."""
    meant = os.path.join(lab.work_dir, "meant.yaml")
    made = os.path.join(lab.work_dir, "made.yaml")
    with open(meant, "w", encoding="utf-8") as stream:
        stream.write(variants.base() + variants.METER_READS_PLC)
    with open(made, "w", encoding="utf-8") as stream:
        stream.write(variants.base() + variants.direct("meter-reads-plc", "meter", "plc", "tcp/502-503"))
    if lab.bare:
        lab.bare.close()
    lab.gateway["dataplane"].stop()
    lab.gateway.start("setup", "dataplane")
    lab.bare = bare.BareControl(lab, meant)
    return meant, made


def frame_of(lab, witness):
    """The witness as it leaves its sender's own wire, and who that is."""
    sender = next(host for host in lab.network.hosts.values() if witness["source"] in host.addresses)
    segment = frames.tcp(witness["source"], witness["destination"], witness["source_port"], witness["destination_port"])
    kind = frames.IPV6 if ":" in witness["source"] else frames.IPV4
    return sender, frames.ethernet(sender.gateway_mac, sender.mac, kind,
                                   frames.ip(witness["source"], witness["destination"], frames.TCP, segment))


def words_of(witness, segment):
    return [f"in={segment}", "protocol=tcp", *(f"{key}={witness[key]}" for key in
                                              ("source", "destination", "source_port", "destination_port"))]


def crosses(lab, witness):
    """Whether the frame comes out of the gateway on the wire of whoever it is for."""
    sender, frame = frame_of(lab, witness)
    receiver = next(name for name, host in lab.network.hosts.items() if witness["destination"] in host.addresses)

    def arrived():
        return any(found.parsed().protocol == frames.TCP and found.parsed().source == witness["source"] and
                   found.parsed().destination_port == witness["destination_port"]
                   for _, found in lab.captures.since(mark, receiver))
    mark = lab.captures.mark()
    with Sender(sender.namespace) as wire:
        wire.send(frame)
    return wait.holds(arrived, 1)


def judged(lab, witness, sender_segment="field"):
    """(what explain says by the tables in force, whether the packet crosses)."""
    told = lab.bare.query("explain", *words_of(witness, sender_segment))["decision"]
    return told, crosses(lab, witness)


@check("prove-witness", "a snapshot with one port too many is refused by the proof with a packet in each IP version; under these tables "
       "explain allows that packet and it crosses the wires, under the right ones neither")
def prove_witness(lab):
    meant, made = faulty_gateway(lab)
    right = lab.bare.made(meant)
    faulty = lab.bare.made(made)
    witnesses = [item["witness"] for item in faulty["differences"] if item["wrong"] == "undescribed"]
    under_fault = [judged(lab, item) for item in witnesses]
    lab.bare.made(meant)
    mended = [judged(lab, item) for item in witnesses]
    versions = sorted(6 if ":" in item["source"] else 4 for item in witnesses)
    return right["holds"] and not faulty["holds"] and versions == [4, 6] and set(under_fault) == {("allow", True)} \
        and set(mended) == {("deny", False)}, \
        f"{faulty['differences'][0]['text']}; {len(witnesses)} witnesses, under the faulty tables {under_fault}, under the right ones {mended}"


def expected_matrix():
    """Of gateway.yaml with the meter's direct conduit."""
    return {("field", "field"): ["meter-reads-plc"],
            ("field", "gateway:field"): ["builtin:dns:field"],
            ("field", "uplink"): ["meter-to-broker-address"],
            ("field", "virtual"): ["meter-to-broker"],
            ("gateway:field", "field"): ["office-sees-camera", "scada-reads-plc"],
            ("gateway:uplink", "name:broker.example"): ["meter-to-broker"],
            ("gateway:uplink", "uplink"): ["gateway-asks-dns"],
            ("office", "gateway:office"): ["office-sees-camera", "scada-reads-plc"]}


@check("prove-matrix", "`sallyctl prove` says that the revision in force is proven, lists who may start a flow to whom, segment by segment, and "
       "that no two devices share a port")
def prove_matrix(lab):
    lab.policy(variants.METER_READS_PLC)
    told = lab.gateway.read("prove")
    matrix = {(cell["from"], cell["to"]): cell["rules"] for cell in told["matrix"]}
    text = lab.gateway.ctl("prove").stdout
    shown = "exactly what the reviewed conduits describe" in text and all(rule in text for rules in matrix.values() for rule in rules)
    strange = lab.gateway.ctl("prove", "--from", "nobody", check=False)
    return told["holds"] and told["revision"] == lab.gateway.revision_in_force() and matrix == expected_matrix() and shown \
        and not told["not_enforceable"] and "stands between all devices" in text and strange.returncode == 2, \
        f"revision {told['revision']}: {told['intervals']} intervals, {told['boxes']} boxes; {len(matrix)} cells of " \
        f"{len(expected_matrix())} as expected; an unknown end: {strange.stderr.strip()[:60]}"


def permitted_by_proof(lab, host):
    """(destination address, TCP port) of PORTS that this host may start a flow to by what `prove --from` lists."""
    found = set()
    for box in lab.gateway.read("prove", "--from", host.name)["permitted"]["boxes"]:
        if box["protocol"] == "tcp":
            found |= {(box["from"]["addresses"], box["to"]["addresses"], port) for port in PORTS
                      if box["first_port"] <= port <= box["last_port"]}
    return found


@check("prove-boxes-are-the-wire", "from every enrolled host, in both IP versions, connect() to every host, gateway address and the broker meets "
       "somebody exactly where a box of `prove --from` says so")
def prove_boxes(lab):
    lab.policy(variants.METER_READS_PLC)
    wrong, tried, allowed = [], 0, 0
    for name in ("plc", "meter", "camera", "scada"):
        host = lab.host(name)
        addresses = [address for other in lab.network.hosts.values() if other is not host for address in other.addresses]
        addresses += [address for own in topology.GATEWAY_ADDRESS.values() for address in own] + list(topology.BROKER)
        targets = [(address, port) for address in addresses for port in PORTS]
        met = host.namespace.inside(lambda items=targets: connects(items, 3))
        boxes = permitted_by_proof(lab, host)
        for address, port in targets:
            source = host.addresses[1 if ":" in address else 0]
            should = (source, address, port) in boxes
            tried, allowed = tried + 1, allowed + should
            if (met[address, port] != "silent") != should:
                wrong.append(f"{name} > {address}:{port} {met[address, port]}")
    return not wrong and allowed >= 12, f"{tried} connections, {allowed} in a box; wrong: {wrong[:6] or 'none'}"


@check("prove-not-enforceable", "two devices on one port are named as not enforceable, unless the operator's word is that its switch isolates them")
def not_enforceable(lab):
    lab.policy()
    shared = variants.base().replace("camera: { segment: field, port: lan3", "camera: { segment: field, port: lan2")
    lab.gateway.apply(shared)
    named = lab.gateway.ctl("prove").stdout
    lab.gateway.apply(shared.replace("services: [dns], mac: \"02:53:50:00:10:01\"",
                                     "services: [dns], isolated: true, mac: \"02:53:50:00:10:01\""))
    word = lab.gateway.ctl("prove").stdout
    line = "not enforceable: meter, camera share port lan2"
    return line in named and "not enforceable" not in word, \
        f"without the word: {[item for item in named.splitlines() if 'enforceable' in item]}; with it: " \
        f"{[item for item in word.splitlines() if 'enforceable' in item or 'share' in item]}"
