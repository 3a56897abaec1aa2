"""Landing 3: kill -9 of each process under traffic. What design says happens, happens; flows return; nothing else passes."""
from . import capture, stopped, tls, topology, traffic, variants, wait
from .checks import check


class UnderTraffic:
    """Allowed traffic (a stream in each IP version, polls over one TLS session) and forbidden traffic from four wires."""

    count = 0

    def __init__(self, lab):
        self.lab = lab
        lab.policy(variants.METER_STREAMS_PLC + variants.METER_READS_PLC)
        self.pest = traffic.Pest(lab)
        self.tunnel = tls.Tunnel(lab, topology.GATEWAY_ADDRESS["office"][0])
        self.session = traffic.Poller(lab, "scada", "127.0.0.1", self.tunnel.port, f"poller-tls-{self.count}")
        UnderTraffic.count += 1
        self.streams = [traffic.Stream(lab, "meter", "plc", 9000, version) for version in (0, 1)]
        try:
            wait.until(lambda: all(len(stream.received) > 50 for stream in self.streams) and self.session.answers() > 5, 10,
                       "the flows run")
        except wait.TimedOut:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pest.close()
        self.session.close()
        self.tunnel.close()
        for stream in self.streams:
            stream.close()

    def first(self):
        return [stream.highest for stream in self.streams]

    def missing(self, first):
        lost = []
        for start, stream in zip(first, self.streams):
            sent = stream.sent
            wait.holds(lambda s=stream, n=sent: s.highest >= n, 3)
            lost.append(len(stream.missing(start, sent)))
        return lost

    def session_goes_on(self):
        before = self.session.answers()
        return wait.holds(lambda: self.session.answers() > before + 20, 3)

    def flows_return(self, seconds):
        before = [stream.highest for stream in self.streams]
        return wait.holds(lambda: all(stream.highest > start + 100 for start, stream in zip(before, self.streams)), seconds)

    def crossed(self):
        found = self.pest.crossed()
        return not found, f"{self.pest.sent} forbidden packets, crossed: {capture.describe(found)}"


def tls_works(lab):
    return tls.try_modbus(lab, topology.GATEWAY_ADDRESS["office"][0], "scada", seconds=2)["end"] == "answered"


def unaffected(lab, name):
    """A process whose loss the packet path must not notice."""
    with UnderTraffic(lab) as load:
        first = load.first()
        lab.gateway[name].hold_and_kill()
        alone = load.session_goes_on()
        lab.gateway[name].start()
        lab.gateway.wait_in_force()
        lost = load.missing(first)
        after = wait.holds(lambda: tls_works(lab), 10)
        clean, crossed = load.crossed()
        return lost == [0, 0] and alone and not load.session.lost() and after and clean, \
            f"{lost} datagrams lost, the session {'goes on' if alone else 'stopped'}, new ones {'get' if after else 'do not get'} answers " \
            f"after; {crossed}"


NOTHING_LOST = "under traffic: no datagram lost, the TLS session goes on, nothing forbidden passes; back, new sessions work"


@check("kill-control", f"kill -9 of control {NOTHING_LOST}")
def kill_control(lab):
    return unaffected(lab, "control")


@check("kill-setup", f"kill -9 of setup {NOTHING_LOST}")
def kill_setup(lab):
    return unaffected(lab, "setup")


@check("kill-database", f"kill -9 of ovsdb-server {NOTHING_LOST}")
def kill_database(lab):
    return unaffected(lab, "db")


@check("kill-terminator", "kill -9 of the terminator under traffic: direct flows lose nothing, terminated ones stop and return, nothing forbidden "
       "passes")
def kill_terminator(lab):
    with UnderTraffic(lab) as load:
        first = load.first()
        lab.gateway["terminator"].hold_and_kill()
        stopped = not tls_works(lab)
        lab.gateway["terminator"].start()
        returned = wait.holds(lambda: tls_works(lab), 15)
        lost = load.missing(first)
        clean, crossed = load.crossed()
        return lost == [0, 0] and stopped and returned and clean, \
            f"{lost} datagrams lost; TLS {'stopped' if stopped else 'went on'}, {'returned' if returned else 'did not return'}; {crossed}"


@check("kill-dataplane", "kill -9 of the dataplane under traffic: the wires are dark until it is back, then flows return by themselves, a connection "
       "from before is reset at once, nothing forbidden ever passes")
def kill_dataplane(lab):
    with UnderTraffic(lab) as load, traffic.Poller(lab, "meter", lab.host("plc").v4, 502, "poller-killed") as poller:
        wait.until(lambda: poller.answers() > 10, 5, "the connection runs")
        lab.gateway["dataplane"].hold_and_kill()
        mark = lab.captures.mark()
        dark = wait.stays(lambda: not lab.captures.since(mark), 1.0)
        shown = capture.describe(lab.captures.since(mark))
        lab.gateway["dataplane"].start()
        returned = load.flows_return(20)
        ended = wait.holds(lambda: not poller.running(), 15) and "reset" in "".join(poller.lost())
        how = poller.lost()[0] if poller.lost() else "no end"
        tls_back = wait.holds(lambda: tls_works(lab), 10)
        clean, crossed = load.crossed()
        return dark and returned and ended and tls_back and clean, \
            f"dark: {shown}; flows {'returned' if returned else 'did not return'}, TLS {'returned' if tls_back else 'did not'}; the old " \
            f"connection: {how}; {crossed}"


@check("stuck-worker", "the dataplane's worker hangs under traffic: within 8 s the process ends and says so, the wires are dark meanwhile, its supervisor "
       "starts another and the flows return")
def stuck_worker(lab):
    with UnderTraffic(lab) as load:
        dataplane = lab.gateway["dataplane"]
        ended, said = len(dataplane.exits), dataplane.log().count("the worker has not come round")
        with stopped.Stopped(dataplane.pid, "worker") as worker:
            mark = lab.captures.mark()
            dark = wait.stays(lambda: not lab.captures.since(mark), 1.0)
            gone = wait.holds(lambda: worker.gone() and len(dataplane.exits) > ended, 8)
        told = dataplane.log().count("the worker has not come round") > said
        returned = load.flows_return(20)
        tls_back = wait.holds(lambda: tls_works(lab), 10)
        clean, crossed = load.crossed()
        return dark and gone and told and returned and tls_back and clean, \
            f"{'dark' if dark else 'not dark'}; the process {'ended' if gone else 'went on'}, {'told' if told else 'silent'}; flows " \
            f"{'returned' if returned else 'did not return'}; {crossed}"
