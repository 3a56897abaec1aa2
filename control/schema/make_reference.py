#!/usr/bin/env python3
"""Turns gateway.ovsschema and gateway.xml into docs/reference/schema.md; fails on a table or column that only one of them knows.

make_reference.py SCHEMA XML OUT          write OUT
make_reference.py --check SCHEMA XML OUT  fail unless OUT is what would be written
"""
import json
import sys
import xml.etree.ElementTree as ET


def words(element):
    return " ".join("".join(element.itertext()).split())


def type_text(kind):
    if isinstance(kind, str):
        return kind
    key = kind["key"]
    base = key if isinstance(key, str) else key["type"]
    if isinstance(key, dict):
        if "enum" in key:
            base = ", ".join(f"`{word}`" for word in key["enum"][1])
        elif "minInteger" in key:
            base += f", at least {key['minInteger']}"
        elif "minLength" in key:
            base += f", {key['minLength']} to {key['maxLength']} characters"
        elif "maxLength" in key:
            base += f", at most {key['maxLength']} characters"
    return f"set of {base}" if kind.get("max") == "unlimited" else base


def pair(what, schema_names, documented, problems):
    problems += [f"{what} {name} is in the schema but not documented" for name in schema_names if name not in documented]
    problems += [f"{what} {name} is documented but not in the schema" for name in documented if name not in schema_names]


def render(schema, document):
    problems = []
    lines = ["# The database", "", "Generated from `control/schema` by `control/schema/make_reference.py`; do not edit.", "",
             f"Database `{schema['name']}`, schema version {schema['version']}.", ""]
    lines += [words(document.find("p")), ""]
    tables = {table.get("name"): table for table in document.findall("table")}
    pair("table", schema["tables"], tables, problems)
    for name, table in tables.items():
        columns = {column.get("name"): column for column in table.findall("column")}
        known = schema["tables"].get(name, {}).get("columns", {})
        pair("column", [f"{name}.{column}" for column in known], [f"{name}.{column}" for column in columns], problems)
        lines += [f"## {name}: {table.get('title')}", "", words(table.find("p")), "", "| column | type | meaning |", "|---|---|---|"]
        for column, element in columns.items():
            if not words(element):
                problems.append(f"column {name}.{column} has an empty description")
            if column in known:
                lines.append(f"| `{column}` | {type_text(known[column]['type'])} | {words(element)} |")
        lines.append("")
    return "\n".join(lines), problems


def main(arguments):
    check = arguments[:1] == ["--check"]
    schema_path, xml_path, out_path = arguments[1 if check else 0:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    text, problems = render(schema, ET.parse(xml_path).getroot())
    if problems:
        print("\n".join(f"{xml_path}: {problem}" for problem in problems), file=sys.stderr)
        return 1
    if not check:
        with open(out_path, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    try:
        with open(out_path, encoding="utf-8") as file:
            if file.read() == text:
                return 0
    except FileNotFoundError:
        pass
    print(f"{out_path} is not what {schema_path} and {xml_path} say; run control/schema/make_reference.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
