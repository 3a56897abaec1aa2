"""make_reference.py fails on a column or table that only one of schema and manual knows, and on an empty description."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

FOLDER = sys.argv.pop(1)


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as stream:
        return stream.read()


class Reference(unittest.TestCase):
    def make(self, schema, manual):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("schema", "manual", "out")]
            for path, text in zip(paths, (schema, manual)):
                with open(path, "w", encoding="utf-8") as stream:
                    stream.write(text)
            return subprocess.run([sys.executable, os.path.join(FOLDER, "make_reference.py"), *paths], capture_output=True, text=True,
                                  check=False)

    def refuses(self, schema, manual, words):
        done = self.make(schema, manual)
        self.assertEqual(done.returncode, 1)
        self.assertIn(words, done.stderr)

    def test_takes_what_is_there(self):
        self.assertEqual(self.make(read("gateway.ovsschema"), read("gateway.xml")).returncode, 0)

    def test_undocumented_column(self):
        schema = json.loads(read("gateway.ovsschema"))
        for name, table in schema["tables"].items():
            planted = json.loads(json.dumps(schema))
            planted["tables"][name]["columns"]["planted"] = {"type": "string"}
            self.refuses(json.dumps(planted), read("gateway.xml"), f"column {name}.planted is in the schema but not documented")
            self.assertTrue(table["columns"])

    def test_undocumented_table(self):
        schema = json.loads(read("gateway.ovsschema"))
        schema["tables"]["Planted"] = {"columns": {"name": {"type": "string"}}}
        self.refuses(json.dumps(schema), read("gateway.xml"), "table Planted is in the schema but not documented")

    def test_column_that_is_gone(self):
        schema = json.loads(read("gateway.ovsschema"))
        del schema["tables"]["Revision"]["columns"]["comment"]
        self.refuses(json.dumps(schema), read("gateway.xml"), "column Revision.comment is documented but not in the schema")

    def test_empty_description(self):
        manual = read("gateway.xml").replace("What the user said about it.", "")
        self.refuses(read("gateway.ovsschema"), manual, "column Revision.comment has an empty description")


if __name__ == "__main__":
    unittest.main()
