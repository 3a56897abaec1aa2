"""Landings 4 and 5: what leaves in TLS, what comes back, and what does not."""
import os
import ssl

from . import tls, topology
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


@check("tls-without-certificate", "no certificate, a stranger's: no byte of an answer, the same end for both, and the PLC hears nothing")
def without_certificate(lab):
    lab.policy()
    before, seen = lab.devices.plc.log(), {}
    for version, address in zip(VERSIONS, topology.GATEWAY_ADDRESS["office"]):
        for who in (None, "stranger"):
            seen[f"{version} {who or 'no certificate'}"] = tls.try_modbus(lab, address, who)
    heard = lab.devices.plc.log()[len(before):]
    nothing = all(not outcome["answer"] and outcome["end"] not in ("answered", "silent") for outcome in seen.values())
    ends = {outcome["end"] for outcome in seen.values()}
    return nothing and not heard and len(ends) == 1, f"ends {sorted(ends)}, the PLC heard {heard or 'nothing'}"


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


@check("meter-stops-at-wrong-certificate", "no message arrives at a broker whose certificate bears another name or another CA's "
       "signature; with the right one they arrive again")
def wrong_certificate(lab):
    lab.policy()
    seen = {}
    for certificate in ("misnamed", "impostor", "broker"):
        lab.devices.start_broker(certificate)
        lab.devices.start_subscriber()
        seen[certificate] = published(lab, BROKER_NAME, f"meter/{certificate}").split(",")[0]
    return seen == {"misnamed": "not arrived", "impostor": "not arrived", "broker": "arrived"}, seen
