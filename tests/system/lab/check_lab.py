"""The lab judges itself first: a capture that hears nothing would make every other check hold."""
from . import frames, wait
from .checks import check
from .sender import Sender


@check("lab-captures-hear", "a frame put on each of the 6 wires from the gateway's end is captured on that wire alone")
def captures_hear(lab):
    mark = lab.captures.mark()
    ports = {host.port: host.name for host in lab.network.hosts.values()}
    for port in ports:
        lab.network.gateway.ip("link", "set", port, "up")
        with Sender(lab.network.gateway, port) as sender:
            sender.send(frames.ethernet(frames.BROADCAST, "02:00:00:00:00:99", 0x88B5, port.encode().ljust(46, b"\0")))

    def heard():
        found = [(name, frame.data[14:18].rstrip(b"\0").decode()) for name, frame in lab.captures.since(mark)
                 if frame.parsed().kind == 0x88B5]
        return sorted(found)
    expected = sorted((name, port[:4]) for port, name in ports.items())
    wait.holds(lambda: len(heard()) >= len(expected), 3)
    for port in ports:
        lab.network.gateway.ip("link", "set", port, "down")
    return heard() == expected, f"{len(heard())} frames, each on its own wire" if heard() == expected else heard()


@check("lab-devices-serve", "each device's program answers on its own host")
def devices_serve(lab):
    programs = lab.devices.programs
    registers = lab.host("plc").namespace.run(f"{programs}/scada", "::1", "502", "read", "0", "3", check=False)
    picture = lab.host("camera").namespace.run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}",
                                               "http://[::1]/picture.jpg", check=False)
    seen = f"registers {registers.stdout.strip()}, picture of {picture.stdout} bytes"
    return registers.stdout.split() == ["1000", "1001", "1002"] and int(picture.stdout or 0) > 100000, seen


