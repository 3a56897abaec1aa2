"""One run of the lab: everything that it starts, in order, and everything that it ends, in the opposite order."""
import os
import signal

from . import capture, container, devices, gateway, netns, pki, process, topology, variants, wait


def free_hugepages():
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as stream:
            return int(stream.read())
    except OSError:
        return 0


class Session:
    def __init__(self, build_dir, work_dir, outer_pid, workers=1):
        self.build_dir, self.work_dir, self.outer_pid = build_dir, work_dir, outer_pid
        self.workers = workers
        self.log_dir = os.path.join(work_dir, "log")
        self.network = self.captures = self.devices = self.pki = self.gateway = None
        self.bare = None  # bare.BareControl while it stands in for control
        self.bench = None  # check_pci.Bench once a check has asked for it
        self.programs = []
        self.free_hugepages = 0  # of 2 MiB, before the gateway took its own

    @property
    def config_path(self):
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), "gateway.yaml")

    def note(self, text):
        with open(os.path.join(self.work_dir, "lab.log"), "a", encoding="utf-8") as stream:
            stream.write(text.rstrip() + "\n")

    def start(self):
        os.makedirs(self.log_dir)
        self.free_hugepages = free_hugepages()
        capture_dir = os.path.join(self.work_dir, "captures")
        os.makedirs(capture_dir)
        devices.make_users()
        self.network = topology.Network(self.work_dir)
        self.captures = capture.Captures(capture_dir)
        for host in self.network.hosts.values():
            self.captures.add(host.name, host.namespace, "eth0", both_ways=host.name == "cloud")
        self.pki = pki.Pki(os.path.join(self.work_dir, "pki"))
        self.devices = devices.Devices(self.network, self.pki, self.work_dir, self.log_dir,
                                       os.path.join(self.build_dir, "lab"))
        self.devices.start()
        self.gateway = gateway.Gateway(self.network, self.build_dir, self.work_dir, self.log_dir, self.workers)
        self.pki.fill_store(os.path.join(self.gateway.state_dir, "keys"), "sallyport-terminator")

    def policy(self, extra="", base=None):
        """The whole gateway running, with gateway.yaml (or `base`) and `extra` conduits in force."""
        text = (base or variants.base()) + extra
        if self.bare:
            self.bare.close()
            self.bare = None
            self.gateway["dataplane"].stop()
        if not os.path.exists(os.path.join(self.gateway.state_dir, "gateway.db")):
            self.gateway.create_database()
        self.gateway.start("db", "setup", "dataplane", "terminator", "control")
        if self.gateway.text != text:
            # A gateway that has just been started says so (exit status 4) until all of it is there.
            done = wait.until(lambda: self.gateway.settled(self.gateway.apply(text, check=False)), 20, "the gateway takes a revision")
            if done.returncode != 0:
                raise netns.CommandFailed(done.stderr.strip() or done.stdout.strip())
        return self.gateway.wait_in_force()

    def host(self, name):
        return self.network[name]

    def start_program(self, name, host, argv):
        """A program on a host; ended with the lab if not before."""
        started = process.Process(name, argv, self.log_dir, namespace=self.host(host).namespace).start()
        self.programs.append(started)
        return started

    def close(self):
        """Ends everything; returns what is still there, which should be nothing."""
        for program in self.programs:
            program.stop()
        if self.bench:
            self.bench.close()
        if self.bare:
            self.bare.close()
        if self.gateway:
            self.gateway.close()
        if self.devices:
            self.devices.stop()
        if self.captures:
            self.captures.close()
        if self.network:
            self.network.close()
        return self._left()

    def _left(self):
        left = [f"namespace {name}" for name in sorted(os.listdir("/run/netns"))]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) == os.getpid():
                continue
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
                    words = stream.read().rsplit(")", 1)
            except OSError:
                continue
            if words[1].split()[0] != "Z":
                left.append(f"process {words[0].split('(')[1]}")
        with open("/proc/mounts", encoding="utf-8") as stream:
            left += [f"mount {line.split()[1]}" for line in stream
                     if self.work_dir in line or line.split()[1].startswith("/run/netns/")]
        return left

    def explore(self):
        """The gateway with gateway.yaml in force, until a signal comes."""
        self.policy()
        enter = f"nsenter --target {self.outer_pid} --mount --pid"
        ctl = f"{self.gateway.bin}/sallyctl --run-dir {self.gateway.run_dir}"
        print(f"""
the lab is running, with tests/system/lab/gateway.yaml in force
  what the gateway says    {ctl} status
                           {ctl} show drops
                           {ctl} explain --in office 10.30.0.10:40000 10.30.0.1:802 tcp
  a shell on a host        {enter} ip netns exec rogue bash      (plc meter camera rogue scada cloud)
  a shell in a segment     {enter} ip netns exec {container.GATEWAY_PREFIX}field bash  (field office uplink ports)
  captures and logs        {self.work_dir}/captures {self.log_dir}
Ctrl-C takes it down.""", flush=True)
        while True:
            signal.pause()
