"""The stand-in for control (devices/bare_control.cc): a dataplane that drives its ports and has no policy."""
import json
import os
import subprocess
import threading

from . import wait


class BareControl:
    def __init__(self, lab, config):
        argv = ["setpriv", "--reuid=sallyport-control", "--regid=sallyport-control", "--clear-groups",
                os.path.join(lab.build_dir, "lab/bare_control"), lab.gateway.run_dir, config]
        self._log = open(os.path.join(lab.log_dir, "bare-control.log"), "ab")
        self._popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
                                       start_new_session=True)
        self._lines = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._await(1, 30)

    def _read(self):
        for line in self._popen.stdout:
            self._lines.append(line.rstrip("\n"))

    def _await(self, count, seconds):
        wait.until(lambda: len(self._lines) >= count or self._popen.poll() is not None, seconds, "bare_control answers")
        if len(self._lines) < count:
            raise RuntimeError(f"bare_control ended with {self._popen.poll()}, see bare-control.log")

    def ask(self, line, last, seconds=60):
        """Sends a command; returns the lines up to the one that `last` accepts."""
        start = len(self._lines)
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()
        wait.until(lambda: any(last(text) for text in self._lines[start:]) or self._popen.poll() is not None, seconds, line)
        return self._lines[start:]

    def damage(self):
        """{code of refusal: how often} and how many were accepted."""
        lines = [line.split() for line in self.ask("damage", lambda text: text.startswith("accepted"))]
        return {words[1]: int(words[2]) for words in lines if words[0] == "refused"}, int(lines[-1][1])

    def offer(self):
        return self.ask("offer", bool)[0]

    def query(self, what, *words):
        return json.loads(self.ask(" ".join(("query", what, *words)), bool)[0])

    def made(self, path):
        """The proof of what `path` compiles to against the stand-in's own configuration, then that snapshot in the dataplane."""
        lines = self.ask("made " + path, lambda text: not text.startswith("{"))
        if lines[-1] != "accepted":
            raise RuntimeError(f"the dataplane refused the snapshot: {lines[-1]}")
        return json.loads(lines[0])

    def close(self):
        self._popen.stdin.close()
        self._popen.wait(5)
        self._thread.join()
        self._log.close()
