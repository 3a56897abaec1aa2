"""The gateway's processes, started and restarted as the units do; and the operator's command."""
import json
import os
import pwd
import shutil

from . import netns, wait
from .container import GATEWAY_PREFIX
from .process import Supervised, Supervisor

DAEMONS = ("setup", "dataplane", "terminator", "control")


class Gateway:
    def __init__(self, network, build_dir, work_dir, log_dir, workers):
        self.network, self.bin, self.work_dir, self.log_dir = network, os.path.join(build_dir, "bin"), work_dir, log_dir
        self.run_dir = os.path.join(work_dir, "run")
        self.state_dir = os.path.join(work_dir, "state")
        self.supervisor = Supervisor()
        self.processes = {}
        self.file = os.path.join(work_dir, "gateway.yaml")  # what an installed gateway has in /etc/sallyport
        self.offered = 0
        self.text = None  # of the revision in force
        self._make_folders()
        folders = ["--prefix", GATEWAY_PREFIX, "--run-dir", self.run_dir]
        control_uid = str(pwd.getpwnam("sallyport-control").pw_uid)
        self._add("setup", folders)
        self._add("dataplane", [*folders, "--user", "sallyport-dataplane", "--control-uid", control_uid, "--xdp-object",
                                os.path.join(build_dir, "bpf/xdp_default_drop.o"), "--workers", str(workers)])
        self._add("terminator", [*folders, "--state-dir", self.state_dir])
        self._add("control", [*folders, "--state-dir", self.state_dir, "--config", self.file])
        self._add("exporter", [*folders, "--segment", "office"])
        self._add_database()
        self.processes["dnsmasq"] = self.supervisor.add(
            Resolver(self.segment("field"), f"{self.run_dir}/control/dnsmasq-field.conf", log_dir))

    # -- processes

    def _make_folders(self):
        """As tmpfiles.d makes them."""
        for folder, owner in ((self.run_dir, "root"), (self.state_dir, "sallyport-control"),
                              (f"{self.run_dir}/setup", "root"), (f"{self.run_dir}/dataplane", "sallyport-dataplane"),
                              (f"{self.run_dir}/terminator", "sallyport-terminator"),
                              (f"{self.run_dir}/control", "sallyport-control"), (f"{self.run_dir}/db", "sallyport-control"),
                              (f"{self.state_dir}/keys", "sallyport-terminator")):
            os.makedirs(folder, exist_ok=True)
            shutil.chown(folder, owner, owner if owner != "root" else None)
        os.chmod(self.state_dir, 0o711)
        os.chmod(f"{self.state_dir}/keys", 0o700)

    def _add(self, name, arguments):
        process = Supervised(name, [os.path.join(self.bin, f"sallyport-{name}"), *arguments], self.log_dir,
                             namespace=self.network.gateway)
        self.processes[name] = self.supervisor.add(process)

    def _add_database(self):
        """ovsdb-server as its own unit runs it: as control's user, on control's schema."""
        path = f"{self.run_dir}/db"
        as_control = ["setpriv", "--reuid=sallyport-control", "--regid=sallyport-control", "--clear-groups"]
        argv = [*as_control, "ovsdb-server", f"--remote=punix:{path}/socket", f"--unixctl={path}/ctl", "--no-chdir",
                f"{self.state_dir}/gateway.db"]
        ready = lambda: os.path.exists(f"{path}/ctl")  # noqa: E731
        self.processes["db"] = self.supervisor.add(Supervised("db", argv, self.log_dir, ready=ready))

    def create_database(self):
        netns.run(os.path.join(self.bin, "sallyport-control"), "--create-database", "--state-dir", self.state_dir)

    def start(self, *names):
        """Starts processes that are not running; returns once each serves its socket."""
        late = [name for name in names if not self.processes[name].running()]
        for name in late:
            self.processes[name].start()
            if name == "setup":  # the units say After=sallyport-setup
                self.processes[name].wait_ready(15)
        for name in names:
            self.processes[name].wait_ready(15)

    def __getitem__(self, name):
        return self.processes[name]

    def close(self):
        """Ends the processes and has setup remove what it made, as uninstalling does."""
        self.supervisor.close()
        netns.run(*self.network.gateway.command([os.path.join(self.bin, "sallyport-setup"), "--prefix", GATEWAY_PREFIX, "--run-dir",
                                                 self.run_dir, "--cleanup"]), check=False)

    def segment(self, name):
        """The gateway's own namespace of a segment."""
        return netns.Namespace(GATEWAY_PREFIX + name, create=False)

    def ports_down(self):
        """Ports that are not in the ports' namespace with their link up."""
        shown = self.segment("ports").ip("-o", "link", check=False).stdout
        up = {line.split(":")[1].split("@")[0].strip() for line in shown.splitlines() if "LOWER_UP" in line}
        return sorted({host.port for host in self.network.hosts.values()} - up)

    # -- the operator's command

    def ctl(self, *arguments, check=True, timeout=30):
        """sallyctl as root; CommandFailed if it fails and `check`."""
        return netns.run(os.path.join(self.bin, "sallyctl"), "--run-dir", self.run_dir, *arguments, check=check,
                         timeout=timeout)

    def read(self, *arguments):
        """A read as JSON."""
        return json.loads(self.ctl("--json", *arguments).stdout)

    def apply(self, text, check=True):
        """config apply of this text, kept as a numbered file so that logs and errors can be followed."""
        self.offered += 1
        path = os.path.join(self.work_dir, f"gateway-{self.offered}.yaml")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        done = self.ctl("config", "apply", "--yes", path, check=check, timeout=60)
        if done.returncode == 0:
            self.text = text
        return done

    @staticmethod
    def settled(done):
        """The outcome, or None if a process of the gateway was not there (sallyctl's exit status 4)."""
        return done if done.returncode != 4 else None

    def status(self):
        """sallyctl's status, {} when control is away."""
        try:
            return self.read("status")
        except (netns.CommandFailed, ValueError):
            return {}

    def revision_in_force(self):
        """The number, or None unless every process has acknowledged it."""
        status = self.status()
        return status["revision"] if status.get("state") == "in-force" else None

    def wait_in_force(self, seconds=20):
        return wait.until(self.revision_in_force, seconds, f"a revision is in force everywhere: {self.status()}")

    def received_by_port(self):
        """{port: frames that its wire has brought to the dataplane}."""
        return {row["port"]: row["rx_packets"] for row in self.read("show", "counters")["ports"]}


class Resolver(Supervised):
    """A segment's dnsmasq in the gateway's own namespace of that segment: runs while control's file for it is there and the namespace
    too, restarted when the file changes, as a path unit does."""

    def __init__(self, segment, config, log_dir):
        self._segment, self._config, self._text = segment, config, None
        argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={config}", "--user=nobody", "--group=nogroup", "--log-facility=-",
                "--log-queries", "--pid-file="]
        super().__init__(f"dnsmasq-{segment.name}", argv, log_dir, ready=lambda: True, namespace=segment)
        self.held = False

    def tend(self):
        try:
            with open(self._config, encoding="utf-8") as stream:
                text = stream.read()
        except FileNotFoundError:
            text = None
        if self.held or not self._segment.exists():
            return
        if text != self._text:
            self._text = text
            if self.popen is not None:
                self.stop()
            self.held = False
            if text is not None:
                self.start()
        elif text is not None and self.popen is not None:
            super().tend()
