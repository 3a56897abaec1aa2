"""Landing 1: without a dataplane, or with one that has no policy, the wires are dark."""
import os

from . import bare, capture, traffic, wait
from .checks import check

HOSTILE_FRAMES = 20000
ENOUGH_HUGEPAGES = 128  # dataplane/dpdk/eal.h: EalOptions::memory_mb, in pages of 2 MiB
QUIET_SECONDS = 1.0


def hostile(lab, seed, per_second=8000):
    """HOSTILE_FRAMES frames of the corpus, an equal share from every wire, all wires at once; returns how many were sent."""
    hosts = list(lab.network.hosts.values())
    share, running = -(-HOSTILE_FRAMES // len(hosts)), []
    for index, host in enumerate(hosts):
        text = [",".join((mac, *addresses)) for mac, addresses in
                ((host.mac, host.addresses), (host.gateway_mac, host.gateway),
                 *((other.mac, other.addresses) for other in hosts if other is not host))]
        argv = [os.path.join(lab.build_dir, "lab/hostile_sender"), "eth0", str(seed + index), str(share), str(per_second // len(hosts))]
        running.append(lab.start_program(f"hostile-{host.name}-{seed}", host.name, argv + text))
    wait.until(lambda: not any(process.running() for process in running), 60, "the hostile frames are sent")
    return sum(int(process.log().split()[-1]) for process in running)


def bare_gateway(lab):
    """Setup, a dataplane that drives its ports, links up, and no policy."""
    if lab.bare is None:
        lab.gateway.start("setup", "dataplane")
        lab.bare = bare.BareControl(lab, lab.config_path)


def bare_over(lab):
    """The stand-in lets go of the dataplane; ports and links stay as they are."""
    bare_gateway(lab)
    lab.bare.close()
    lab.bare = None


def dark(lab, what):
    """Provokes from every wire; holds if no wire shows a frame of the gateway's for QUIET_SECONDS after. With links down it would
    hold for nothing, so they must be up."""
    down = lab.gateway.ports_down()
    if down:
        return False, f"links down: {down}"
    mark = lab.captures.mark()
    count = traffic.provoke(lab)
    wait.stays(lambda: not lab.captures.since(mark), QUIET_SECONDS)
    found = lab.captures.since(mark)
    return not found and lab.captures.lost() == 0, f"{capture.describe(found)} in answer to {count} frames, {what}"


@check("dark-no-policy", "ports driven, links up, no policy: no wire shows a frame of the gateway's, whatever is asked")
def dark_no_policy(lab):
    bare_gateway(lab)
    before = lab.bare.query("counters")["drops"]["no-snapshot"]
    met, seen = dark(lab, "no policy")
    dropped = lab.bare.query("counters")["drops"]["no-snapshot"] - before
    return met and dropped > 1000, f"{seen}; {dropped} dropped as no-snapshot"


@check("dark-memory", "the dataplane keeps its packets in hugepages if the machine has enough of them free, and works without if not")
def dark_memory(lab):
    bare_gateway(lab)
    uses = lab.bare.query("status")["hugepages"]
    return uses == (lab.free_hugepages >= ENOUGH_HUGEPAGES), f"{lab.free_hugepages} were free, hugepages {'used' if uses else 'not used'}"


@check("dark-hostile-corpus", f"{HOSTILE_FRAMES} hostile frames over the six wires into a dataplane without policy: nothing out, and the "
       "dataplane lives")
def dark_hostile(lab):
    bare_gateway(lab)
    mark, before, ended = lab.captures.mark(), lab.bare.query("counters")["received"], len(lab.gateway["dataplane"].exits)
    sent = hostile(lab, seed=1)
    wait.stays(lambda: not lab.captures.since(mark), QUIET_SECONDS)
    found, received = lab.captures.since(mark), lab.bare.query("counters")["received"] - before
    return not found and received >= HOSTILE_FRAMES * 0.9 and len(lab.gateway["dataplane"].exits) == ended, \
        f"{sent} taken by the wires, {received} counted by the dataplane; out: {capture.describe(found)}"


@check("dark-damaged-snapshots", "505 snapshots, cut short, unsealed or with one bit flipped, are each refused by name, the wires stay dark; "
       "the whole one is accepted")
def damaged_snapshots(lab):
    bare_gateway(lab)
    refused, accepted = lab.bare.damage()
    met, seen = dark(lab, "after the damaged snapshots")
    right = lab.bare.offer()
    return met and accepted == 0 and sum(refused.values()) == 505 and right == "accepted", \
        f"refused {refused}, accepted {accepted}; {seen}; the whole one: {right}"


@check("dark-killed", "with the dataplane killed by -9, links still up, no wire shows a frame of the gateway's")
def dark_killed(lab):
    bare_over(lab)
    lab.gateway["dataplane"].hold_and_kill()
    return dark(lab, "dataplane killed")


@check("dark-starting", "from the dataplane's start until it waits for control, no wire shows a frame of the gateway's")
def dark_starting(lab):
    bare_over(lab)
    lab.gateway["dataplane"].hold_and_kill()
    mark = lab.captures.mark()
    with traffic.Pest(lab) as pest:
        lab.gateway.start("dataplane")
        met, seen = dark(lab, "dataplane starting")
    found = lab.captures.since(mark)
    return met and not found and pest.sent > 100, f"{seen}; during the start {capture.describe(found)}"


@check("dark-stopped", "with the dataplane stopped, links still up, no wire shows a frame of the gateway's")
def dark_stopped(lab):
    bare_over(lab)
    lab.gateway["dataplane"].stop()
    return dark(lab, "dataplane stopped")
