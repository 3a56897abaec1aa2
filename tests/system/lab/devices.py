"""The real programs on the hosts."""
import errno
import os
import selectors
import socket
import time

from . import wait
from .netns import run
from .process import Process
from .topology import BROKER, BROKER_NAME, NAME_SERVER

READING = b"reading=42.7kWh secret-of-the-meter"  # must never be on the uplink in plain text
PICTURE_MARK = b"picture-of-the-yard-in-plain-text"


class Devices:
    def __init__(self, network, pki, work_dir, log_dir, programs):
        self.network, self.pki, self.work_dir, self.log_dir, self.programs = network, pki, work_dir, log_dir, programs
        self.started = []
        self.plc = self._process("plc", "plc", [os.path.join(programs, "plc"), "502"])
        self.camera = self._process("camera", "camera", self._camera_command())
        self.dns = self._process("cloud-dns", "cloud", self._dns_command())
        self.broker = self.subscriber = None

    def start(self):
        for process in (self.plc, self.camera, self.dns):
            process.start()
        self.start_broker("broker")
        self.start_subscriber()
        wait.until(lambda: self.listens("plc", 502) and self.listens("camera", 80) and self.listens("cloud", 8883)
                   and self.listens("cloud", 53), 10, "the devices' programs serve")

    def stop(self):
        for process in reversed(self.started):
            process.stop()

    def start_broker(self, certificate):
        """Mosquitto with TLS on 8883, clients known by certificate; a plain listener for the cloud's own subscriber."""
        if self.broker:
            self.broker.stop()
        path = os.path.join(self.work_dir, "mosquitto.conf")
        with open(path, "w", encoding="ascii") as stream:
            stream.write(
                "per_listener_settings true\nuser root\nlog_dest stdout\nlog_type all\n"
                "listener 1883 127.0.0.1\nallow_anonymous true\n"
                f"listener 8883\nallow_anonymous true\ncafile {self.pki.certificate('cloud-ca')}\n"
                f"certfile {self.pki.certificate(certificate)}\nkeyfile {self.pki.key(certificate)}\n"
                "require_certificate true\n")
        self.broker = self._process("cloud-broker", "cloud", ["mosquitto", "-c", path]).start()
        wait.until(lambda: self.listens("cloud", 8883), 5, "the broker listens")

    def start_subscriber(self):
        """A subscriber beside the broker; its log holds what arrived. Ends with the broker."""
        self.subscriber = self._process(f"cloud-subscriber-{len(self.started)}", "cloud",
                                        ["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", "1883", "-t", "#", "-v", "-d"]).start()
        wait.until(lambda: "SUBACK" in self.subscriber.log(), 5, "the subscriber has subscribed")

    def arrived(self, topic, payload, seconds):
        return wait.holds(lambda: f"{topic} {payload}" in self.subscriber.log(), seconds)

    def publish(self, to, topic, payload, timeout=12):
        """mosquitto_pub on the meter: plain MQTT to whatever it is told, exit status 0 when the broker took it."""
        return self.network["meter"].namespace.run(
            "timeout", str(timeout), "mosquitto_pub", "-h", to, "-p", "1883", "-q", "1", "-t", topic,
            "-m", payload, resolver=self.network.resolvers["meter"], check=False, timeout=timeout + 5)

    def listens(self, host, port):
        """Whether something on the host listens, by the host's own /proc."""
        def look():
            wanted = f":{port:04X} "
            for table in ("tcp", "tcp6", "udp", "udp6"):
                with open(f"/proc/thread-self/net/{table}", encoding="ascii") as stream:
                    for line in stream.readlines()[1:]:
                        fields = line.split()
                        if (fields[1] + " ").endswith(wanted) and fields[3] in ("0A", "07"):
                            return True
            return False
        return self.network[host].namespace.inside(look)

    def _process(self, name, host, argv):
        process = Process(name, argv, self.log_dir, namespace=self.network[host].namespace)
        self.started.append(process)
        return process

    def _camera_command(self):
        folder = os.path.join(self.work_dir, "camera")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "picture.jpg"), "wb") as stream:
            stream.write(PICTURE_MARK + bytes(range(256)) * 400)  # 100 KiB: many segments
        return ["/usr/bin/python3", "-u", "-m", "http.server", "80", "--bind", "::", "--directory", folder]

    def _dns_command(self):
        records = [f"--host-record={BROKER_NAME},{BROKER[0]},{BROKER[1]}"]
        return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                "--bind-interfaces", "--log-queries", "--log-facility=-", "--pid-file=",
                *[f"--listen-address={address}" for address in NAME_SERVER], *records, "--local-ttl=5"]


def connects(targets, seconds):
    """Plain connect() to many (address, port) at once, in the caller's namespace: {target: "open", "refused", "silent"}."""
    waiting, outcome = {}, {target: "silent" for target in targets}
    with selectors.DefaultSelector() as selector:
        for target in targets:
            client = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, socket.SOCK_STREAM)
            client.setblocking(False)
            error = client.connect_ex(target)
            if error == errno.EINPROGRESS:
                selector.register(client, selectors.EVENT_WRITE, target)
                waiting[target] = client
            else:
                outcome[target] = _word(error)
                client.close()
        deadline = time.monotonic() + seconds
        while waiting and time.monotonic() < deadline:
            for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                outcome[key.data] = _word(key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                selector.unregister(key.fileobj)
                waiting.pop(key.data).close()
        for client in waiting.values():
            client.close()
    return outcome


def _word(error):
    return {0: "open", errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset"}.get(error, "silent")


def make_users():
    """The daemons' users, as the package's sysusers file makes them."""
    for name in ("sallyport-dataplane", "sallyport-terminator", "sallyport-control", "sallyport-exporter"):
        if run("getent", "passwd", name, check=False).returncode != 0:
            run("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name, check=False)
    if run("getent", "group", "sallyport", check=False).returncode != 0:
        run("groupadd", "--system", "sallyport", check=False)
