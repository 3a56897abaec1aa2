"""The office's TLS: socat as the station's tunnel (a libmodbus client speaks plain Modbus into it), curl as its browser, and a
bare client for what must not work."""
import os
import socket
import ssl
import subprocess

from . import wait

MODBUS_READ = bytes.fromhex("000100000006010300000003")  # read 3 holding registers from 0
PLC_NAME, CAMERA_NAME = "plc.plant.example", "camera.plant.example"


def private_number(path):
    """The 32 bytes that make this P-256 key secret (RFC 5915: the octet string in ECPrivateKey)."""
    der = subprocess.run(["openssl", "ec", "-in", path, "-outform", "DER"], capture_output=True, check=True).stdout
    at = der.index(b"\x02\x01\x01\x04\x20") + 5
    return der[at:at + 32]


class Tunnel:
    """socat between 127.0.0.1:port on the station and the gateway, with the station's certificate."""

    def __init__(self, lab, address, port=802, local_port=1502, certificate="scada", name="scada-tunnel"):
        target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        options = f"cafile={lab.pki.certificate('plant-ca')},commonname={PLC_NAME},openssl-min-proto-version=TLS1.2"
        if certificate:
            options += f",certificate={lab.pki.certificate(certificate)},key={lab.pki.key(certificate)}"
        self.port = local_port
        self.process = lab.start_program(name, "scada", ["socat", f"TCP4-LISTEN:{local_port},bind=127.0.0.1,fork,reuseaddr",
                                                         f"OPENSSL:{target},{options}"])
        wait.until(lambda: lab.devices.listens("scada", local_port), 5, "the tunnel listens")

    def close(self):
        self.process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def try_modbus(lab, address, certificate=None, port=802, version=None, seconds=5):
    """A TLS client that sends one Modbus request. Returns {"handshake", "answer", "end"}: whether its own handshake got
    through, the bytes of the application that came, and how it ended: an alert's name, "answered", "refused", "silent", or "closed" for any
    end without a word (whether the client meets it as an end of file or a reset depends on what it was just writing)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(lab.pki.certificate("plant-ca"))
    if version:
        context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(lab.pki.certificate(certificate), lab.pki.key(certificate))

    def attempt():
        outcome = {"handshake": "none", "answer": b"", "end": "silent"}
        try:
            with socket.create_connection((address, port), timeout=seconds) as plain:
                with context.wrap_socket(plain, server_hostname=PLC_NAME) as secure:
                    outcome["handshake"] = secure.version()
                    secure.sendall(MODBUS_READ)
                    outcome["answer"] = secure.recv(512)
                    outcome["end"] = "answered" if outcome["answer"] else "closed"
        except ssl.SSLError as error:
            outcome["end"] = error.reason if "ALERT" in (error.reason or "") else "closed"
        except ConnectionRefusedError:
            outcome["end"] = "refused"
        except (ConnectionResetError, BrokenPipeError):
            outcome["end"] = "closed"
        except OSError:
            outcome["end"] = "silent"
        return outcome
    return lab.host("scada").namespace.inside(attempt)


def fetch_picture(lab, address, version="--tlsv1.2", most="1.3", timeout=15):
    """curl on the station; returns (exit status, bytes, detail)."""
    path = os.path.join(lab.work_dir, "fetched.jpg")
    bracketed = f"[{address}]" if ":" in address else address
    done = lab.host("scada").namespace.run(
        "curl", "-sS", "--max-time", str(timeout), "--cacert", lab.pki.certificate("plant-ca"), version, "--tls-max", most,
        "--resolve", f"{CAMERA_NAME}:443:{bracketed}", "-o", path, f"https://{CAMERA_NAME}/picture.jpg", check=False,
        timeout=timeout + 5)
    data = b""
    if os.path.exists(path):
        with open(path, "rb") as stream:
            data = stream.read()
        os.unlink(path)
    return done.returncode, data, done.stderr.strip()
