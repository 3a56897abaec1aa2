"""Landing 3 and item 6: configuration comes into force under traffic, and what is wrong with it changes nothing."""
from . import traffic, variants, wait
from .checks import check


def settled(stream, seconds=3):
    """Waits until everything sent so far could have arrived; returns how many were sent by then."""
    sent = stream.sent
    wait.holds(lambda: stream.highest >= sent, seconds)
    return sent


@check("apply-loses-nothing", "two running flows of 500 datagrams a second (IPv4, IPv6) and one Modbus connection lose nothing while a conduit "
       "is added and while another is removed")
def apply_loses_nothing(lab):
    base = variants.METER_STREAMS_PLC + variants.METER_READS_PLC
    lab.policy(base)
    lost, seen = {}, {}
    with traffic.Stream(lab, "meter", "plc", 9000, 0) as v4, traffic.Stream(lab, "meter", "plc", 9000, 1) as v6, \
            traffic.Poller(lab, "meter", lab.host("plc").v4, 502, "poller-apply") as poller:
        wait.until(lambda: len(v4.received) > 50 and len(v6.received) > 50 and poller.answers() > 10, 10, "the flows run")
        first = {4: v4.highest, 6: v6.highest}
        for extra in (base + variants.CAMERA_STREAMS_PLC, base, base + variants.CAMERA_STREAMS_PLC):
            lab.policy(extra)
            answers = poller.answers()
            wait.until(lambda a=answers: poller.answers() > a + 20 or not poller.running(), 5, "the connection goes on")
        for version, stream in ((4, v4), (6, v6)):
            sent = settled(stream)
            lost[version] = len(stream.missing(first[version], sent))
            seen[f"IPv{version}"] = f"{lost[version]} of {sent - first[version]} lost"
        seen["Modbus"] = f"{poller.answers()} answers, {poller.lost() or 'none lost'}"
        return not any(lost.values()) and poller.running(), seen


@check("apply-cuts-removed", "removing a conduit cuts its running flow within 1 s, both IP versions, while another conduit's goes on")
def apply_cuts(lab):
    base = variants.CAMERA_STREAMS_PLC
    lab.policy(base + variants.METER_STREAMS_PLC + variants.METER_READS_PLC)
    with traffic.Stream(lab, "meter", "plc", 9000, 0) as v4, traffic.Stream(lab, "meter", "plc", 9000, 1) as v6, \
            traffic.Stream(lab, "camera", "plc", 9001, 0) as other, \
            traffic.Poller(lab, "meter", lab.host("plc").v4, 502, "poller-cut") as poller:
        wait.until(lambda: all(len(item.received) > 50 for item in (v4, v6, other)) and poller.answers() > 10, 10, "the flows run")
        lab.policy(base)
        wait.holds(lambda: False, 1.0)  # the second within which idle flows are swept
        cut, answers, before = (v4.highest, v6.highest), poller.answers(), len(other.received)
        goes_on = wait.holds(lambda: len(other.received) > before + 300, 5)
        after = (v4.highest, v6.highest)
        return cut == after and poller.answers() == answers and goes_on, \
            f"after 1 s: {after[0] - cut[0]} and {after[1] - cut[1]} numbers further, {poller.answers() - answers} more answers; the other " \
            f"flow {'goes on' if goes_on else 'stopped'}"


BROKEN = {
    "absent": None,
    "empty": "",
    "no YAML": "ports: [unclosed\n",
    "unknown key": "version: 1\nportz: {}\n",
    "half-written": variants.base()[:len(variants.base()) * 2 // 3],
    "conduit to a stranger": variants.base() + variants.direct("to-nobody", "meter", "nobody", "modbus"),
    "overlap": variants.base() + variants.METER_READS_PLC + variants.direct("again", "meter", "plc", "tcp/500-510"),
}


@check("apply-refuses-broken", "an absent, empty, invalid, contradicting or half-written file is refused, with its place where it has one, and "
       "the revision in force stays, without a lost datagram")
def refuses_broken(lab):
    lab.policy(variants.METER_STREAMS_PLC)
    before, seen, wrong = lab.gateway.revision_in_force(), {}, []
    with traffic.Stream(lab, "meter", "plc", 9000, 0) as stream:
        wait.until(lambda: len(stream.received) > 50, 10, "the flow runs")
        first = stream.highest
        for name, text in BROKEN.items():
            done = lab.gateway.ctl("config", "apply", "/nonexistent.yaml", check=False) if text is None else \
                lab.gateway.apply(text, check=False)
            said = (done.stderr or done.stdout).strip().splitlines()
            seen[name] = said[0].rsplit("/", 1)[-1][:90] if said else "says nothing"
            if done.returncode == 0 or not said:
                wrong.append(name)
            if lab.gateway.revision_in_force() != before:
                wrong.append(f"{name} changed the revision")
        missing = len(stream.missing(first, settled(stream)))
    return not wrong and not missing, f"{seen}; {missing} datagrams lost; wrong: {wrong or 'nothing'}"
