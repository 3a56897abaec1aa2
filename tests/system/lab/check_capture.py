"""sallyctl capture, as an operator uses it: packets as they come, each with its verdict, and nothing left behind however it ends."""
import os
import signal
import struct
import subprocess

from . import frames, topology, wait
from .checks import check
from .sender import Sender

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
COMMENT, NAME = 1, 2


def blocks(data):
    """[(type, body)] of the whole blocks of a pcapng stream."""
    found, at = [], 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if size < 12 or at + size > len(data):
            break
        found.append((kind, data[at + 8:at + size - 4]))
        at += size
    return found


def options(body, at):
    found = {}
    while at + 4 <= len(body):
        code, size = struct.unpack_from("<HH", body, at)
        if code == 0:
            break
        found[code] = body[at + 4:at + 4 + size]
        at += 4 + (size + 3) // 4 * 4
    return found


def packets(data):
    """[(interface, frame, comment)] of a pcapng stream."""
    names, found = [], []
    for kind, body in blocks(data):
        if kind == INTERFACE:
            names.append(options(body, 8)[NAME].decode())
        elif kind == PACKET:
            interface, _, _, kept, _ = struct.unpack_from("<IIIII", body)
            comment = options(body, 20 + (kept + 3) // 4 * 4).get(COMMENT, b"").decode()
            found.append((names[interface], body[20:20 + kept], comment))
    return found


class Capturing:
    """A running `sallyctl capture` whose standard output is a pipe."""

    def __init__(self, lab, *arguments):
        argv = [os.path.join(lab.gateway.bin, "sallyctl"), "--run-dir", lab.gateway.run_dir, "capture", *arguments]
        self.popen = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        os.set_blocking(self.popen.stdout.fileno(), False)
        self.data = b""

    def read(self):
        self.data += self.popen.stdout.read() or b""
        return packets(self.data)

    def end(self, number=None):
        """Its exit status after this signal, or by itself."""
        if number is not None:
            self.popen.send_signal(number)
        status = self.popen.wait(10)
        self.read()
        self.popen.stdout.close()
        self.popen.stderr.close()
        return status


def knock(lab):
    """A frame that gateway.yaml allows and one that it denies, from the station."""
    scada, gateway = lab.host("scada"), topology.GATEWAY_ADDRESS["office"][0]
    with Sender(scada.namespace) as sender:
        for port in (802, 9999):
            sender.send(frames.ethernet(scada.gateway_mac, scada.mac, frames.IPV4, frames.ip(
                scada.v4, gateway, frames.TCP, frames.tcp(scada.v4, gateway, 45000, port))))


def of_port(found, port):
    return [comment for interface, data, comment in found if interface == "off1" and frames.parse(data).destination_port == port]


def free(lab):
    """Whether a new capture can begin."""
    return lab.gateway.ctl("capture", "--seconds", "0.1", "-w", os.path.join(lab.work_dir, "free.pcapng"), check=False).returncode == 0


@check("capture-streams", "sallyctl capture shows an allowed and a denied frame with their verdicts while it runs; Ctrl-C ends it with exit status 0 "
       "and leaves the dataplane free for the next one")
def capture_streams(lab):
    lab.policy()
    running = Capturing(lab, "--seconds", "60")
    try:
        def seen():
            knock(lab)
            found = running.read()
            return of_port(found, 802) and of_port(found, 9999)
        shown = wait.holds(seen, 10)
        alive = running.popen.poll() is None
    finally:
        status = running.end(signal.SIGINT)
    found = packets(running.data)
    allowed, denied = of_port(found, 802), of_port(found, 9999)
    verdicts = bool(allowed) and bool(denied) and all(text.startswith("allow to host:office by scada-reads-plc;") for text in allowed) and \
        all(text.startswith("drop default-deny;") for text in denied)
    again = free(lab)
    return shown and alive and status == 0 and verdicts and again, \
        f"{len(found)} packets, while it ran: {'yes' if shown and alive else 'no'}; {allowed[:1]} {denied[:1]}; Ctrl-C: {status}; next one " \
        f"{'works' if again else 'is refused'}"


@check("capture-killed", "while a capture runs a second one is refused by name; after kill -9 of sallyctl the dataplane stops by itself")
def capture_killed(lab):
    lab.policy()
    running = Capturing(lab, "--seconds", "60")
    try:
        wait.until(lambda: knock(lab) or running.read(), 10, "the capture runs")
        second = lab.gateway.ctl("capture", "--seconds", "1", "-w", os.path.join(lab.work_dir, "second.pcapng"), check=False)
    finally:
        running.end(signal.SIGKILL)
    over = wait.holds(lambda: free(lab), 20)
    refused = second.returncode == 6 and "another capture is under way" in second.stderr
    return refused and over, f"second one: {second.returncode} {second.stderr.strip()[:60]}; after kill -9 {'free again' if over else 'still busy'}"


@check("capture-count", "capture --count 3 writes three packets and ends")
def capture_count(lab):
    lab.policy()
    path = os.path.join(lab.work_dir, "three.pcapng")
    running = Capturing(lab, "--seconds", "60", "--count", "3", "-w", path)
    ended = wait.holds(lambda: knock(lab) or running.popen.poll() is not None, 10)
    status = running.end(None if ended else signal.SIGKILL)
    with open(path, "rb") as stream:
        written = len(packets(stream.read()))
    return ended and status == 0 and written == 3, f"exit status {status}, {written} packets"
