#!/usr/bin/env python3
"""usage: check_dashboard.py DASHBOARD REFERENCE | --self-test   The dashboard is JSON that Grafana imports, each of its questions is
about metrics and labels of the reference, and each metric of the reference is on it."""
import copy
import json
import pathlib
import re
import sys

ROW = re.compile(r"^\| `(sallyport_\w+)` \| (counter|gauge) \| (?:`([\w,]+)`)? ?\| ", re.MULTILINE)
TOP = {"title": str, "uid": str, "schemaVersion": int, "panels": list, "templating": dict, "time": dict}
PANEL = {"id": int, "type": str, "title": str, "gridPos": dict}
RATED = ("rate(", "increase(", "irate(")
ALWAYS = {"instance", "job", "__rate_interval"}


def reference(text):
    """{metric: (kind, labels)} of docs/reference/metrics.md."""
    return {name: (kind, set(filter(None, (labels or "").split(",")))) for name, kind, labels in ROW.findall(text)}


def shape_of(what, value, fields):
    return [f"{what}: no {name} ({kind.__name__})" for name, kind in fields.items() if not isinstance(value.get(name), kind)]


def problems_of_question(what, expression, legend, known):
    problems = []
    names = re.findall(r"sallyport_\w+", expression)
    if not names:
        problems.append(f"{what}: asks for nothing of the gateway: {expression}")
    if expression.count("(") != expression.count(")") or expression.count("{") != expression.count("}"):
        problems.append(f"{what}: unbalanced: {expression}")
    labels = set()
    for name in names:
        if name not in known:
            problems.append(f"{what}: {name} is no metric")
            continue
        kind, own = known[name]
        labels |= own
        if (kind == "counter") != any(word in expression for word in RATED):
            problems.append(f"{what}: {name} is a {kind}: {expression}")
    used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)) | set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        used |= {word.strip() for word in group.split(",")}
    return problems + [f"{what}: no label {label}" for label in sorted(used - labels - ALWAYS)]


def problems_of(dashboard, known):
    problems = shape_of("dashboard", dashboard, TOP)
    if problems:
        return problems
    ids, asked, places = [], set(), []
    variables = {one.get("name") for one in dashboard["templating"].get("list", [])}
    for panel in dashboard["panels"]:
        what = panel.get("title", "?")
        problems += shape_of(what, panel, PANEL)
        ids.append(panel.get("id"))
        place = panel.get("gridPos", {})
        if place.get("x", 0) + place.get("w", 99) > 24:
            problems.append(f"{what}: wider than the page")
        places.append((place.get("x"), place.get("y")))
        if panel.get("type") == "row":
            continue
        targets = panel.get("targets", [])
        if not targets:
            problems.append(f"{what}: asks nothing")
        for target in targets:
            expression = target.get("expr", "")
            problems += problems_of_question(what, expression, target.get("legendFormat", ""), known)
            asked |= set(re.findall(r"sallyport_\w+", expression))
            if "${datasource}" not in json.dumps(target.get("datasource", {})):
                problems.append(f"{what}: not asked of the chosen Prometheus")
            used = set(re.findall(r"\$(\w+)", expression)) - {"__rate_interval"}
            problems += [f"{what}: no variable {name}" for name in sorted(used - variables)]
    if len(set(ids)) != len(ids):
        problems.append("two panels have one id")
    if len(set(places)) != len(places):
        problems.append("two panels have one place")
    return problems + [f"{name} is not shown" for name in sorted(set(known) - asked)]


def self_test():
    known = {"sallyport_up": ("gauge", {"process"}), "sallyport_a_total": ("counter", {"reason"})}
    prometheus = {"type": "prometheus", "uid": "${datasource}"}

    def panel(number, expression, legend):
        return {"id": number, "type": "stat", "title": f"p{number}", "gridPos": {"x": 12 * (number - 1), "y": 0, "w": 12, "h": 4},
                "targets": [{"expr": expression, "legendFormat": legend, "datasource": prometheus}]}
    clean = {"title": "t", "uid": "u", "schemaVersion": 38, "time": {}, "templating": {"list": [{"name": "datasource"}]},
             "panels": [panel(1, "sallyport_up", "{{process}}"), panel(2, "sum by (reason) (rate(sallyport_a_total[$__rate_interval]))", "")]}
    planted = [
        ("no schemaVersion", lambda d: d.pop("schemaVersion")),
        ("sallyport_gone is no metric", lambda d: d["panels"][0]["targets"][0].update(expr="sallyport_gone")),
        ("sallyport_up is not shown", lambda d: d["panels"].pop(0)),
        ("is a counter", lambda d: d["panels"][1]["targets"][0].update(expr="sallyport_a_total")),
        ("is a gauge", lambda d: d["panels"][0]["targets"][0].update(expr="rate(sallyport_up[5m])")),
        ("no label colour", lambda d: d["panels"][0]["targets"][0].update(legendFormat="{{colour}}")),
        ("no label colour", lambda d: d["panels"][0]["targets"][0].update(expr='sallyport_up{colour="x"}')),
        ("no variable place", lambda d: d["panels"][0]["targets"][0].update(expr='sallyport_up{instance=~"$place"}')),
        ("unbalanced", lambda d: d["panels"][0]["targets"][0].update(expr="sallyport_up)")),
        ("asks nothing", lambda d: d["panels"][0].update(targets=[])),
        ("one id", lambda d: d["panels"][1].update(id=1)),
        ("wider than", lambda d: d["panels"][1]["gridPos"].update(w=13)),
        ("not asked of", lambda d: d["panels"][0]["targets"][0].update(datasource={"uid": "mine"})),
    ]
    wrong = [f"clean dashboard: {line}" for line in problems_of(clean, known)]
    for expected, change in planted:
        faulty = copy.deepcopy(clean)
        change(faulty)
        if not any(expected in line for line in problems_of(faulty, known)):
            wrong.append(f"not seen: {expected}")
    table = "| metric | kind |\n|---|---|\n| `sallyport_up` | gauge | `process` | x |\n| `sallyport_b` | gauge |  | y |\n"
    if reference(table) != {"sallyport_up": ("gauge", {"process"}), "sallyport_b": ("gauge", set())}:
        wrong.append(f"the reference is read as {reference(table)}")
    return wrong


def main(first, second=None):
    if first == "--self-test":
        problems = self_test()
    else:
        known = reference(pathlib.Path(second).read_text(encoding="utf-8"))
        problems = problems_of(json.loads(pathlib.Path(first).read_text(encoding="utf-8")), known) if known else ["the reference has no metric"]
    print("\n".join(problems) or "clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
