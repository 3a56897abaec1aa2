"""The dataplane's packet threads, however many this run has (lab.py --workers): all of them work, none of them may stop."""
import os

from . import stopped, wait
from .check_kill import UnderTraffic
from .checks import check


def workers_of(pid):
    """How many of its threads are packet threads."""
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as stream:
            count += stream.read().startswith("worker")
    return count


@check("workers-take-part", "there are as many workers as were asked for; of several each packet of another's has crossed to it, none was too many, and the dataplane "
       "forwards; one alone hands nothing over")
def workers_take_part(lab):
    with UnderTraffic(lab) as load:
        before = lab.gateway.read("show", "counters")
        moved = wait.holds(lambda: lab.gateway.read("show", "counters")["forwarded"] > before["forwarded"] + 500, 10)
        clean, crossed = load.crossed()
    after, running = lab.gateway.read("show", "counters"), workers_of(lab.gateway["dataplane"].pid)
    handed = after["handed_over"]
    shared = handed > 0 if lab.workers > 1 else handed == 0
    return moved and clean and running == lab.workers and shared and after["drops"]["worker-busy"] == 0, \
        f"{running} workers; {after['received']} frames read, {handed} handed over, {after['taken_over']} taken over, " \
        f"{after['drops']['worker-busy']} too many; {crossed}"


@check("workers-stuck-last", "the last of the dataplane's workers hangs under traffic: within 8 s the process ends and says so, its supervisor starts another and "
       "the flows return")
def workers_stuck_last(lab):
    with UnderTraffic(lab) as load:
        dataplane = lab.gateway["dataplane"]
        ended, said = len(dataplane.exits), dataplane.log().count("the worker has not come round")
        with stopped.Stopped(dataplane.pid, "worker" if lab.workers == 1 else f"worker{lab.workers - 1}") as worker:
            gone = wait.holds(lambda: worker.gone() and len(dataplane.exits) > ended, 8)
        told = dataplane.log().count("the worker has not come round") > said
        returned = load.flows_return(20)
        return gone and told and returned, f"the process {'ended' if gone else 'went on'}, {'told' if told else 'silent'}; flows " \
            f"{'returned' if returned else 'did not return'}"
