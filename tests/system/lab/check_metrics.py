"""Figures for Prometheus: on the management segment, for whom a conduit names, and nowhere else. The office plays that segment; the
exporter runs all the time and is told nothing of what the configuration says."""
import re

from . import topology, variants, wait
from .check_processes import internet_sockets, problems_of
from .checks import check

PORT = 9469
REFUSED, SILENT = 7, 28  # curl's exit statuses
LINE = re.compile(r"^(sallyport_\w+)(?:\{([^}]*)\})? ([0-9.e+]+)$", re.MULTILINE)


def scrape(lab, host, address, seconds=3):
    """(curl's exit status, {(metric, labels): value})."""
    shown = f"[{address}]" if ":" in address else address
    ran = lab.host(host).namespace.run("curl", "-sS", "--connect-timeout", str(seconds), "--max-time", "10",
                                       f"http://{shown}:{PORT}/metrics", check=False)
    return ran.returncode, {(name, labels or ""): float(value) for name, labels, value in LINE.findall(ran.stdout)}


def served(lab, version, seconds=10):
    """The figures, once the exporter has heard of the segment's role; {} if it never does."""
    found = {}

    def once():
        found["status"], found["figures"] = scrape(lab, "scada", topology.GATEWAY_ADDRESS["office"][version])
        return found["status"] == 0
    return found["figures"] if wait.holds(once, seconds) else {}


def managed(lab):
    lab.policy(variants.SCADA_SCRAPES, variants.MANAGED_OFFICE)
    lab.gateway.start("exporter")


def by_port(counters, field):
    return {row["port"]: row[field] for row in counters["ports"]}


@check("metrics-figures", "a host of the management segment scrapes over IPv4 and IPv6; every frame and every drop by reason lies between "
       "what `sallyctl show counters` says before and after, moves when packets do, and the processes are told as up")
def figures(lab):
    managed(lab)
    wrong, moved = [], {}
    for version in (0, 1):
        if not served(lab, version):
            wrong.append(f"nothing served over IPv{(4, 6)[version]}")
            continue
        lab.host("rogue").namespace.run("ping", "-c", "3", "-i", "0.2", "-W", "1", topology.GATEWAY_ADDRESS["field"][version], check=False)
        before = lab.gateway.read("show", "counters")

        def fresh():
            """A page that was made after `before`: the exporter keeps one for a second."""
            _, told = scrape(lab, "scada", topology.GATEWAY_ADDRESS["office"][version])
            seen = told.get(("sallyport_port_packets_total", 'port="off1",direction="in"'), 0)
            return told if seen >= by_port(before, "rx_packets")["off1"] else None
        told = wait.until(fresh, 10, "the page is newer than what was asked before")
        after = lab.gateway.read("show", "counters")
        rows = [(f'port="{port}",direction="{way}"', "sallyport_port_packets_total", by_port(before, field)[port], by_port(after, field)[port])
                for port in by_port(before, "rx_packets") for way, field in (("in", "rx_packets"), ("out", "tx_packets"))]
        rows += [(f'reason="{reason}"', "sallyport_drops_total", before["drops"][reason], after["drops"][reason]) for reason in before["drops"]]
        wrong += [f"{metric}{{{labels}}} {told.get((metric, labels))}, not {low} to {high}" for labels, metric, low, high in rows
                  if not low <= told.get((metric, labels), -1) <= high]
        wrong += [f"{process} is told as down" for process in ("control", "setup", "dataplane", "terminator")
                  if told.get(("sallyport_up", f'process="{process}"')) != 1]
        if told.get(("sallyport_config_revision_info", f'revision="{lab.gateway.revision_in_force()}"')) != 1:
            wrong.append("not the revision in force")
        moved[version] = sum(value for (metric, _), value in told.items() if metric == "sallyport_drops_total")
    if not wrong and not 0 < moved[0] < moved[1]:
        wrong.append(f"drops do not move: {moved}")
    return not wrong, wrong[:4] or f"drops {moved[0]:.0f}, then {moved[1]:.0f}; all within"


@check("metrics-dark-elsewhere", "from the other segments and the uplink, to the gateway's address there and to that of the management segment, "
       "over IPv4 and IPv6: silence, not even a refusal")
def dark_elsewhere(lab):
    managed(lab)
    if not served(lab, 0):
        return False, "nothing is served where it should be"
    tried = [(host, topology.GATEWAY_ADDRESS[segment][version]) for host in ("meter", "rogue", "cloud") for version in (0, 1)
             for segment in ("office", lab.host(host).segment)]
    heard = [f"{host} to {address}: {status}" for host, address in tried if (status := scrape(lab, host, address, seconds=1)[0]) != SILENT]
    return not heard, heard or f"{len(tried)} attempts, all silent"


@check("metrics-needs-a-conduit", "without a reviewed conduit a host of the management segment itself is met with silence")
def needs_a_conduit(lab):
    lab.policy("", variants.MANAGED_OFFICE)
    lab.gateway.start("exporter")
    statuses = [scrape(lab, "scada", address, seconds=1)[0] for address in topology.GATEWAY_ADDRESS["office"]]
    return statuses == [SILENT, SILENT], f"curl ends with {statuses}"


@check("metrics-needs-the-role", "when the segment loses its role the exporter ends and the next one serves nothing, conduit or not; when it gets "
       "the role back, it serves again")
def needs_the_role(lab):
    managed(lab)
    if not served(lab, 0):
        return False, "nothing is served where it should be"
    lab.policy(variants.SCADA_SCRAPES)

    def refused():
        return [scrape(lab, "scada", address, seconds=1)[0] for address in topology.GATEWAY_ADDRESS["office"]] == [REFUSED, REFUSED]
    silent = wait.holds(refused, 10)
    why = "has no `role: management`" in lab.gateway["exporter"].log()
    managed(lab)
    again = bool(served(lab, 1))
    return silent and why and again, f"refused: {silent}, says why: {why}, serves again: {again}"


@check("metrics-without-control", "with control away the exporter says so and stays; with control back it tells figures again")
def without_control(lab):
    managed(lab)
    if not served(lab, 0):
        return False, "nothing is served where it should be"
    lab.gateway["control"].stop()

    def told(value):
        _, figures_now = scrape(lab, "scada", topology.GATEWAY_ADDRESS["office"][0])
        return figures_now.get(("sallyport_up", 'process="control"')) == value
    away = wait.holds(lambda: told(0), 10)
    lab.gateway.start("control")
    lab.gateway.wait_in_force()
    back = wait.holds(lambda: told(1), 10)
    return away and back, f"told as down: {away}, as up again: {back}"


@check("metrics-behind-walls", "the exporter has its own user, no capability, seccomp, no new privileges, no dumps, and of IPv4 and IPv6 sockets "
       "the two that listen in the management segment's namespace")
def behind_walls(lab):
    managed(lab)
    if not served(lab, 0):
        return False, "nothing is served where it should be"
    wrong = problems_of("exporter", lab.gateway["exporter"].pid)
    listening = lab.gateway.segment("office").run("ss", "-Hltn", f"sport = :{PORT}").stdout.split("\n")[:-1]
    held = len(internet_sockets(lab.gateway["exporter"].pid))
    return not wrong and len(listening) == 2 and held >= 2, wrong or f"{len(listening)} listen, {held} sockets"
