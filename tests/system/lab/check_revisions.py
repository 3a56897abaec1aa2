"""Issue 4, item 1: revisions that are refused, that go back by themselves, that somebody else holds, that somebody else writes."""
import json
import os
import subprocess

from . import tls, topology, traffic, variants, wait
from .checks import check
from .netns import run

# A writer who is not root: a member of the group, known to the gateway by what the kernel says.
WRITER = "nobody"
AS_WRITER = ("setpriv", f"--reuid={WRITER}", "--regid=sallyport", "--clear-groups")


def history(lab):
    return lab.gateway.read("config", "history")


def events(lab, kind):
    return [item for item in lab.gateway.read("show", "events", "--limit", "1000") if item["kind"] == kind]


@check("revision-refused-by-terminator", "a conduit whose certificate the terminator does not have is refused with its name; the old revision stays "
       "in force in both: no datagram of a direct flow is lost and TLS goes on")
def refused_by_terminator(lab):
    base = variants.METER_STREAMS_PLC
    lab.policy(base)
    number = lab.gateway.revision_in_force()
    missing = variants.base().replace("certificate: gw,", "certificate: nowhere,", 1)
    with traffic.Stream(lab, "meter", "plc", 9000, 0) as stream:
        wait.until(lambda: len(stream.received) > 50, 10, "the flow runs")
        first = stream.highest
        done = lab.gateway.apply(missing + base, check=False)
        sent = stream.sent
        wait.holds(lambda: stream.highest >= sent, 3)
        lost = len(stream.missing(first, sent))
    answered = tls.try_modbus(lab, topology.GATEWAY_ADDRESS["office"][0], "scada", seconds=2)["end"] == "answered"
    said = done.stderr.strip().splitlines()
    return done.returncode == 6 and "scada-reads-plc" in done.stderr and lab.gateway.revision_in_force() == number and not lost and answered, \
        f"exit {done.returncode}: {said[0] if said else 'nothing'}; {lost} datagrams lost; TLS {'answers' if answered else 'is silent'}"


def go_back(lab, meanwhile):
    """A revision that cuts the meter's flow, applied for two seconds. Returns what was seen."""
    base = variants.METER_STREAMS_PLC
    lab.policy(base)
    number = lab.gateway.revision_in_force()
    path = os.path.join(lab.work_dir, "tried.yaml")
    with open(path, "w", encoding="utf-8") as stream_file:
        stream_file.write(variants.base())
    with traffic.Stream(lab, "meter", "plc", 9000, 0) as v4, traffic.Stream(lab, "meter", "plc", 9000, 1) as v6:
        wait.until(lambda: all(len(item.received) > 50 for item in (v4, v6)), 10, "the flows run")
        lab.gateway.ctl("config", "apply", "--yes", "--confirm-within", "2s", path)
        wait.holds(lambda: False, 1.0)  # the second within which idle flows are swept
        marks = (v4.highest, v6.highest)
        cut = wait.stays(lambda: (v4.highest, v6.highest) == marks, 0.3)
        meanwhile()
        back = wait.holds(lambda: v4.highest > marks[0] + 100 and v6.highest > marks[1] + 100, 15)
    # A refused one has used up a number.
    later = wait.until(lambda: [row for row in history(lab) if row["number"] > number][1:], 10, "it is in history")
    tried, returned = [row for row in history(lab) if row["number"] > number]
    told = len(later) == 1 and wait.holds(lambda: lab.gateway.revision_in_force() == returned["number"], 10)
    ended = tried["state"], returned["user"]
    same = lab.gateway.ctl("config", "show").stdout == variants.base() + base
    return cut and back and told and same and ended == ("reverted", "sallyport-control"), \
        f"the flows {'were cut' if cut else 'went on'} and {'returned' if back else 'did not return'}; revision {tried['number']} " \
        f"{ended[0]}, revision {returned['number']} by {ended[1]}, {'the text of before' if same else 'another text'}"


@check("revision-goes-back", "a revision applied with --confirm-within 2s that nobody confirms cuts a flow and gives it back by itself, both IP "
       "versions, without a restart of anything, and says so")
def goes_back(lab):
    restarts = {name: process.restarts for name, process in lab.gateway.processes.items() if name != "dnsmasq"}
    met, seen = go_back(lab, lambda: None)
    still = restarts == {name: process.restarts for name, process in lab.gateway.processes.items() if name != "dnsmasq"}
    return met and still and bool(events(lab, "revision-reverting")), f"{seen}; {'nothing' if still else 'something'} was restarted"


@check("revision-goes-back-later", "the same while control is away as the time runs out: it goes back when control is there again")
def goes_back_later(lab):
    def away():
        lab.gateway["control"].hold_and_kill()
        wait.holds(lambda: False, 2.0)  # the rest of the window
        lab.gateway.start("control")
    return go_back(lab, away)


@check("revision-confirmed", "the same, confirmed in time by another user: it stays, and history names both")
def confirmed(lab):
    lab.policy()
    text = variants.base() + variants.METER_READS_PLC
    path = os.path.join(lab.work_dir, "tried.yaml")
    with open(path, "w", encoding="utf-8") as stream_file:
        stream_file.write(text)
    lab.gateway.ctl("config", "apply", "--yes", "--confirm-within", "3s", path)
    number = lab.gateway.wait_in_force()
    run(*AS_WRITER, os.path.join(lab.gateway.bin, "sallyctl"), "--run-dir", lab.gateway.run_dir, "config", "confirm")
    stays = wait.stays(lambda: lab.gateway.status().get("revision") == number, 4)
    lab.gateway.text = text
    row = [item for item in history(lab) if item["number"] == number][0]
    return stays and (row["user"], row["confirmed_by"]) == ("root", WRITER), \
        f"revision {number} {'stays' if stays else 'went'}; applied by {row['user']}, confirmed by {row['confirmed_by']}"


@check("revision-one-writer", "while a member of the group edits, root's apply is refused with that name and since when; what the editor wrote is "
       "then applied under that name")
def one_writer(lab):
    lab.policy()
    sallyctl = [os.path.join(lab.gateway.bin, "sallyctl"), "--run-dir", lab.gateway.run_dir]
    flag = os.path.join(lab.work_dir, "editing")
    editor = os.path.join(lab.work_dir, "editor.sh")
    with open(editor, "w", encoding="utf-8") as stream:
        stream.write(f"#!/bin/sh\nwhile test -e {flag}; do :; done\necho '# by hand' >> \"$1\"\n")
    os.chmod(editor, 0o755)
    with open(flag, "w", encoding="utf-8"):
        pass
    environment = dict(os.environ, EDITOR=editor, VISUAL="", TMPDIR="/tmp")
    editing = subprocess.Popen([*AS_WRITER, *sallyctl, "config", "edit", "--yes", "--comment", "by hand"], env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait.until(lambda: "holder" in lab.gateway.status(), 5, "the edit is known")
        refused = lab.gateway.apply(variants.base() + variants.METER_READS_PLC, check=False)
    finally:
        os.unlink(flag)
        output = editing.communicate(timeout=20)[0]
    row = history(lab)[-1]
    lab.gateway.text = variants.base() + "# by hand\n" if editing.returncode == 0 else None
    said = refused.stderr.strip().splitlines()[0] if refused.stderr else ""
    named = refused.returncode == 9 and f"{WRITER} is editing the configuration (since 20" in said
    return named and editing.returncode == 0 and (row["user"], row["comment"]) == (WRITER, "by hand"), \
        f"exit {refused.returncode}: {said}; then revision {row['number']} of {row['user']}: {output.strip().splitlines()[-1:]}"


@check("revision-foreign-write", "whatever another client of the database writes, to the revision's text or to a derived row, is undone within 1 s and "
       "alerted, and changes nothing on the wire")
def foreign_write(lab):
    lab.policy(variants.METER_STREAMS_PLC)
    remote, seen, late = f"unix:{lab.gateway.run_dir}/db/socket", {}, []
    as_control = ("setpriv", "--reuid=sallyport-control", "--regid=sallyport-control", "--clear-groups")

    def rows(table):
        return json.loads(run(*as_control, "ovsdb-client", "transact", remote, json.dumps(
            ["Sallyport", {"op": "select", "table": table, "where": []}])).stdout)[0]["rows"]

    def stored(table):
        return sorted(json.dumps({key: value for key, value in row.items() if key not in ("_uuid", "_version", "deadline")}, sort_keys=True)
                      for row in rows(table))
    with traffic.Stream(lab, "meter", "plc", 9000, 0) as stream:
        wait.until(lambda: len(stream.received) > 50, 10, "the flow runs")
        first = stream.highest
        for table, change in (("Revision", {"text": "version: 1", "user": "mallory"}), ("Device", {"mac": "02:00:00:00:00:66"}),
                              ("Gateway", {"cur_cfg": 1, "head": ""})):
            before, alerts = stored(table), len(events(lab, "foreign-write"))
            run(*as_control, "ovsdb-client", "transact", remote, json.dumps(
                ["Sallyport", {"op": "update", "table": table, "where": [], "row": change}]))
            undone = wait.holds(lambda t=table, b=before: stored(t) == b, 1.0)
            alerted = wait.holds(lambda a=alerts: len(events(lab, "foreign-write")) > a, 1.0)
            seen[table] = f"{'undone' if undone else 'still there'}, {'alerted' if alerted else 'not alerted'}"
            late += [] if undone and alerted else [table]
        sent = stream.sent
        wait.holds(lambda: stream.highest >= sent, 3)
        lost = len(stream.missing(first, sent))
    return not late and not lost, f"{seen}; {lost} datagrams lost"


@check("revision-not-the-file", "a gateway.yaml that differs shows as edited, not applied, and does not count after a cold start of all processes either")
def not_the_file(lab):
    lab.policy(variants.METER_READS_PLC)
    with open(lab.gateway.file, "w", encoding="utf-8") as stream:
        stream.write(variants.base() + variants.CAMERA_STREAMS_PLC)
    try:
        edited = wait.holds(lambda: lab.gateway.status().get("file", {}).get("state") == "edited", 5)
        shown = "edited, not applied" in lab.gateway.ctl("status").stdout
        names = ("control", "dataplane", "terminator", "setup", "db")
        for name in names:
            lab.gateway[name].hold_and_kill()
        lab.gateway.start("db", "setup", "dataplane", "terminator", "control")
        lab.gateway.wait_in_force()
        text = lab.gateway.ctl("config", "show").stdout
        with open(lab.gateway.file, "w", encoding="utf-8") as stream:
            stream.write(text)
        same = wait.holds(lambda: lab.gateway.status().get("file", {}).get("state") == "same", 5)
    finally:
        os.unlink(lab.gateway.file)
    used = text == variants.base() + variants.METER_READS_PLC
    return edited and shown and used and same, \
        f"{'edited, not applied' if edited and shown else 'not noticed'}; after a cold start {'the confirmed text' if used else 'another text'} is in force"
