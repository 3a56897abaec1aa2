"""Landings 4 and 5: what leaves in TLS, what comes back, and what does not."""
import os
import ssl

from . import netns, tls, topology
from .checks import check
from .devices import PICTURE_MARK, READING
from .topology import BROKER, BROKER_NAME

VERSIONS = ("IPv4", "IPv6")


def tls_read(lab, address):
    with tls.Tunnel(lab, address) as tunnel:
        done = lab.host("scada").namespace.run("timeout", "8", os.path.join(lab.build_dir, "lab/scada"), "127.0.0.1",
                                               str(tunnel.port), "read", "0", "3", check=False)
    return done.stdout.strip() or done.stderr.strip()


@check("tls-scada-reads-plc", "registers 1000 1001 1002 in both IP versions, by libmodbus through socat with the station's certificate")
def scada_reads_plc(lab):
    lab.policy()
    read = {version: tls_read(lab, address) for version, address in zip(VERSIONS, topology.GATEWAY_ADDRESS["office"])}
    return all(text == "1000 1001 1002" for text in read.values()), read


@check("tls-plc-speaks-plain", "the PLC's wire carries the requests as plain Modbus, from the gateway's own address")
def plc_speaks_plain(lab):
    lab.policy()
    mark = lab.captures.mark()
    tls_read(lab, topology.GATEWAY_ADDRESS["office"][0])
    plain = [frame.parsed() for _, frame in lab.captures.since(mark, "plc") if tls.MODBUS_READ[2:] in frame.data]
    return bool(plain) and all(parsed.source in topology.GATEWAY_ADDRESS["field"] for parsed in plain), \
        f"{len(plain)} requests from {', '.join({parsed.source for parsed in plain}) or 'nobody'}"


WRONG = (None, "stranger", "scada-expired", "scada-revoked", "gw-client")


@check("tls-without-certificate", "no certificate, a stranger's, an expired, a revoked, another authority's: no byte of an answer, in each TLS "
       "version the same end for all, and the PLC hears nothing; the right one is answered")
def without_certificate(lab):
    lab.policy()
    before, ends, answered, silent = lab.devices.plc.log(), {}, [], []
    for tls_version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for version, address in zip(VERSIONS, topology.GATEWAY_ADDRESS["office"]):
            for who in WRONG:
                outcome = tls.try_modbus(lab, address, who, version=tls_version)
                ends.setdefault(tls_version.name, set()).add(outcome["end"])
                answered += [who] if outcome["answer"] else []
                silent += [who] if outcome["end"] in ("answered", "silent") else []
    heard = lab.devices.plc.log()[len(before):]
    right = tls.try_modbus(lab, topology.GATEWAY_ADDRESS["office"][0], "scada")["end"]
    return not answered and not silent and not heard and all(len(each) == 1 for each in ends.values()) and right == "answered", \
        f"ends {ends}, answered {answered or 'none'}, waited for {silent or 'none'}, the PLC heard {heard or 'nothing'}; the right one: {right}"


@check("tls-versions", "TLS 1.2 and 1.3 are answered with the certificate, TLS 1.1 is not")
def versions(lab):
    lab.policy()
    address, seen = topology.GATEWAY_ADDRESS["office"][0], {}
    for name, version in (("1.3", ssl.TLSVersion.TLSv1_3), ("1.2", ssl.TLSVersion.TLSv1_2)):
        outcome = tls.try_modbus(lab, address, "scada", version=version)
        seen[name] = f"{outcome['handshake']} {outcome['end']}"
    old = lab.host("scada").namespace.run(
        "timeout", "5", "openssl", "s_client", "-connect", f"{address}:802", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0",
        "-cert", lab.pki.certificate("scada"), "-key", lab.pki.key("scada"), check=False, input_text="")
    seen["1.1"] = "refused" if "Cipher is (NONE)" in old.stdout else "negotiated"
    return seen == {"1.3": "TLSv1.3 answered", "1.2": "TLSv1.2 answered", "1.1": "refused"}, seen


@check("tls-plain-bytes", "plain Modbus to the TLS port is never answered in plain Modbus and never reaches the PLC")
def plain_bytes(lab):
    lab.policy()
    before = lab.devices.plc.log()
    done = lab.host("scada").namespace.run("timeout", "6", os.path.join(lab.build_dir, "lab/scada"),
                                           topology.GATEWAY_ADDRESS["office"][0], "802", "read", "0", "3", check=False)
    heard = lab.devices.plc.log()[len(before):]
    return done.returncode != 0 and not heard, f"{done.stderr.strip() or done.stdout.strip()}; the PLC heard {heard or 'nothing'}"


@check("tls-camera-https", "the camera's picture, byte for byte, over HTTPS in both IP versions, TLS 1.2 and 1.3")
def camera_https(lab):
    lab.policy()
    with open(os.path.join(lab.work_dir, "camera/picture.jpg"), "rb") as stream:
        picture = stream.read()
    seen = {}
    for version, address in zip(VERSIONS, topology.GATEWAY_ADDRESS["office"]):
        for least, most in (("--tlsv1.2", "1.2"), ("--tlsv1.3", "1.3")):
            status, data, detail = tls.fetch_picture(lab, address, least, most)
            seen[f"{version} TLS {most}"] = "whole picture" if data == picture else f"curl {status}, {len(data)} bytes {detail}"
    return PICTURE_MARK in picture and set(seen.values()) == {"whole picture"}, seen


def published(lab, to, topic):
    """Publishes from the meter; True once the cloud's subscriber has it."""
    done = lab.devices.publish(to, topic, READING.decode())
    arrived = lab.devices.arrived(topic, READING.decode(), 5 if done.returncode == 0 else 0.2)
    return f"{'arrived' if arrived else 'not arrived'}, mosquitto_pub exit {done.returncode}"


@check("meter-by-name", "dialled as broker.example:1883 in plain MQTT, the message arrives in the cloud")
def meter_by_name(lab):
    lab.policy()
    seen = published(lab, BROKER_NAME, "meter/name")
    return seen == "arrived, mosquitto_pub exit 0", seen


@check("meter-by-address", "dialled as the broker's own IPv4 and IPv6 address, the message arrives in the cloud")
def meter_by_address(lab):
    lab.policy()
    seen = {address: published(lab, address, f"meter/address{index}") for index, address in enumerate(BROKER)}
    return set(seen.values()) == {"arrived, mosquitto_pub exit 0"}, seen


@check("meter-tls-on-uplink", "the broker is reached on port 8883 only, with the server's name in the ClientHello")
def meter_tls(lab):
    to_broker = [frame.parsed() for frame in lab.captures.wires["cloud"].frames if frame.from_gateway]
    ports = {parsed.destination_port for parsed in to_broker if parsed.destination in BROKER}
    hello = [parsed for parsed in to_broker if parsed.destination_port == 8883 and parsed.payload[:1] == b"\x16"]
    named = [parsed for parsed in hello if BROKER_NAME.encode() in parsed.payload]
    return ports == {8883} and bool(named), f"ports {sorted(ports)}, {len(named)} ClientHellos name {BROKER_NAME}"


WRONG_BROKERS = ("misnamed", "broker.example", "impostor", "broker-expired")


@check("meter-stops-at-wrong-certificate", "no message arrives at a broker whose certificate bears another name, its name in the common name "
       "only, another CA's signature or an end in the past; with the right one they arrive again")
def wrong_certificate(lab):
    lab.policy()
    seen = {}
    for certificate in WRONG_BROKERS + ("broker",):
        lab.devices.start_broker(certificate)
        lab.devices.start_subscriber()
        seen[certificate] = published(lab, BROKER_NAME, f"meter/{certificate}").split(",")[0]
    return seen == {**dict.fromkeys(WRONG_BROKERS, "not arrived"), "broker": "arrived"}, seen


@check("keys-stay", "no other daemon's user can open the key store, and no other process of the gateway, nor any file of its state, holds a "
       "byte string of a private key; the terminator does")
def keys_stay(lab):
    lab.policy()
    marks = {name: tls.private_number(lab.pki.key(name)) for name in ("gw", "gw-client")}
    store = os.path.join(lab.gateway.state_dir, "keys")
    opened = [user for user in ("sallyport-control", "sallyport-dataplane", "nobody")
              if netns.run("setpriv", f"--reuid={user}", "--clear-groups", "cat", os.path.join(store, "gw.key"), check=False).returncode == 0]
    holders = {name: sorted(key for key, mark in marks.items() if memory_holds(process.pid, mark))
               for name, process in lab.gateway.processes.items() if process.running()}
    files = [path for folder in (lab.gateway.state_dir, lab.gateway.run_dir) for path in regular_files(folder)
             if not path.startswith(store) and any(mark in read_bytes(path) for mark in marks.values())]
    own = holders.pop("terminator", [])
    elsewhere = {name: keys for name, keys in holders.items() if keys}
    return own == sorted(marks) and not opened and not elsewhere and not files and len(holders) >= 4, \
        f"terminator: {own or 'none'}; {', '.join(sorted(holders))}: {elsewhere or 'none'}; files: {files or 'none'}; opened by: {opened or 'nobody'}"


def memory_holds(pid, mark):
    """Whether the mark is in the process's memory, wherever it may be read."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if rights[0] != "r" or "[v" in line:
                continue
            overlap, at = b"", start
            while at < end:
                try:
                    memory.seek(at)
                    piece = memory.read(min(1 << 24, end - at))
                except (OSError, ValueError):  # a device's registers, or gone meanwhile
                    break
                if not piece:
                    break
                if mark in overlap + piece:
                    return True
                overlap, at = piece[-len(mark):], at + len(piece)
    return False


def regular_files(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def read_bytes(path):
    with open(path, "rb") as stream:
        return stream.read()
