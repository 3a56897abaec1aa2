"""Programs in namespaces: started, watched, restarted if supervised, always ended."""
import os
import signal
import socket
import subprocess
import threading
import time

from . import wait


class Process:
    """One program with its output in a log file. `namespace` is a netns.Namespace or None."""

    def __init__(self, name, argv, log_dir, namespace=None, resolver=None, env=None):
        self.name = name
        self.argv = namespace.command(argv, resolver) if namespace else list(argv)
        self.log_path = os.path.join(log_dir, name + ".log")
        self.env = dict(os.environ, **env) if env else None
        self.popen = None
        self.started = 0.0

    def start(self, keep=()):
        """`keep`: descriptors that it inherits."""
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True, env=self.env, pass_fds=keep)
        self.started = time.monotonic()
        return self

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def kill(self, number=signal.SIGKILL):
        if self.running():
            os.kill(self.pid, number)

    def stop(self, seconds=3):
        if self.popen is None:
            return
        self.kill(signal.SIGTERM)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            self.popen.wait(seconds)
        try:
            os.killpg(self.pid, signal.SIGKILL)  # what it had forked
        except ProcessLookupError:
            pass


class Supervised(Process):
    """Restarted when it ends by itself or is killed, with a bounded back-off, as the units do (Restart=always). Says that it is ready
    as to the units (Type=notify), or by `ready`."""

    def __init__(self, name, argv, log_dir, ready=None, **named):
        super().__init__(name, argv, log_dir, **named)
        self._ready = ready  # callable: true once it serves; None: it tells the notification socket
        self._told = False
        self.notify = None
        if ready is None:
            path = os.path.join(log_dir, name + ".notify")
            self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.notify.setblocking(False)
            self.notify.bind(path)
            os.chmod(path, 0o777)
            self.env = dict(self.env or os.environ, NOTIFY_SOCKET=path)
        self.restarts = 0
        self.exits = []  # (when, exit status) of every end that the lab did not order
        self.held = True  # not to be restarted
        self._lock = threading.Lock()

    def start(self):
        with self._lock:
            self.held = False
            self._launch()
            return self

    def _launch(self):
        self._told = False
        self._heed()
        self._told = False  # what the previous one had said is not this one's word
        super().start()

    def _heed(self):
        while self.notify:
            try:
                self._told |= b"READY=1" in self.notify.recv(4096)
            except BlockingIOError:
                return

    def ready(self):
        if self._ready:
            return self._ready()
        self._heed()
        return self._told

    def stop(self, seconds=3):
        """Ordered: it stays away until start()."""
        with self._lock:
            self.held = True
        super().stop(seconds)

    def hold_and_kill(self):
        """kill -9 without a restart: the process stays away until start()."""
        with self._lock:
            self.held = True
        self.kill()
        self.popen.wait(5)

    def tend(self):
        """Called often by the supervisor's thread."""
        with self._lock:
            if self.held or self.running():
                return
            self.exits.append((time.monotonic(), self.popen.returncode))
            quick = [when for when, _ in self.exits if time.monotonic() - when < 10]
            if time.monotonic() - self.started < 0.1 * min(len(quick), 20):
                self.exits.pop()
                return
            self.restarts += 1
            with open(self.log_path, "a", encoding="utf-8") as log:
                log.write(f"--- lab: {self.name} ended with {self.popen.returncode}, restart {self.restarts}\n")
            self._launch()

    def wait_ready(self, seconds=10):
        wait.until(lambda: self.running() and self.ready(), seconds, f"{self.name} is ready")


class Supervisor:
    """A thread that tends supervised processes until closed."""

    def __init__(self):
        self.processes = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, process):
        self.processes.append(process)
        return process

    def _run(self):
        while not self._closing.wait(0.02):
            for process in list(self.processes):
                process.tend()

    def close(self):
        self._closing.set()
        self._thread.join()
        for process in reversed(self.processes):
            process.stop()
