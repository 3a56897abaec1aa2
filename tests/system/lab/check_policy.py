"""The policy for people: the document of the revision in force, and what a change would mean in traffic."""
import hashlib
import json
import os

from . import traffic, variants, wait
from .checks import check
from .devices import connects


@check("policy-document", "`policy document` as HTML and Markdown names the hash of the text in force, every conduit with its reason, and every "
       "device; it is the same bytes after control was started anew and others after another commit")
def policy_document(lab):
    lab.policy(variants.METER_READS_PLC)
    digest = hashlib.sha256(lab.gateway.text.encode()).hexdigest()
    formats = ("--html", "--markdown")
    first = {form: lab.gateway.ctl("policy", "document", form).stdout for form in formats}
    lab.gateway["control"].stop()
    lab.gateway.start("control")
    lab.gateway.wait_in_force()
    again = {form: lab.gateway.ctl("policy", "document", form).stdout for form in formats}
    lab.policy()
    other = {form: lab.gateway.ctl("policy", "document", form).stdout for form in formats}
    words = ("meter-reads-plc", "scada-reads-plc", "the station polls the PLC", "02:00:00:00:20:05", "2036-11-01", digest)
    lacking = [(form, word) for form in formats for word in words if word not in first[form]]
    return not lacking and first == again and all(first[form] != other[form] for form in formats) and "<svg " in first["--html"], \
        f"{len(first['--html'])} and {len(first['--markdown'])} bytes; lacking {lacking or 'nothing'}; the same after a start: {first == again}"


def told(lab, extra):
    """`config diff` of the lab's file with these conduits, as JSON."""
    path = os.path.join(lab.work_dir, "candidate.yaml")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(variants.base() + extra)
    return json.loads(lab.gateway.ctl("--json", "config", "diff", path, check=False, timeout=60).stdout)


def met(lab, port):
    """What the meter's connect() to the PLC's IPv4 address meets."""
    target = (lab.host("plc").v4, port)
    return lab.host("meter").namespace.inside(lambda: connects([target], 2))[target]


@check("diff-in-traffic", "`config diff` of a file with other ports names exactly what is newly allowed and newly denied, and the running flow that it "
       "would cut; applied, the wire does so")
def diff_in_traffic(lab):
    lab.policy(variants.METER_READS_PLC)
    moved = variants.direct("meter-reads-plc", "meter", "plc", "tcp/503")
    with traffic.Poller(lab, "meter", lab.host("plc").v4, 502, "poller-diff") as poller:
        wait.until(lambda: poller.answers() > 10, 10, "the connection runs")
        seen = wait.holds(lambda: any(flow["port"] == 502 and flow["device"] == "meter" for flow in told(lab, moved)["traffic"]["cut"]), 30)
    answer = told(lab, moved)["traffic"]
    listed = {key: sorted((box["from"]["device"], box["to"]["device"], box["first_port"], box["last_port"]) for box in answer[key])
              for key in ("allowed", "denied")}
    before = (met(lab, 502), met(lab, 503))
    lab.policy(moved)
    after = (met(lab, 502), met(lab, 503))
    other = told(lab, moved + "# only a comment\n")["traffic"]
    return seen and listed == {"allowed": [("meter", "plc", 503, 503)] * 2, "denied": [("meter", "plc", 502, 502)] * 2} \
        and before[0] != "silent" and before[1] == "silent" and after[0] == "silent" and after[1] != "silent" \
        and not (other["allowed"] or other["denied"] or other["cut"]), \
        f"{listed}; cut: {[(flow['device'], flow['destination'], flow['port']) for flow in answer['cut']]}; ports 502 and 503 before {before}, after {after}"
