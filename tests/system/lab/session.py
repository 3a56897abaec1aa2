"""One run of the lab: everything that it starts, in order, and everything that it ends, in the opposite order."""
import os

from . import capture, devices, pki, topology


class Session:
    def __init__(self, build_dir, work_dir, outer_pid):
        self.build_dir, self.work_dir, self.outer_pid = build_dir, work_dir, outer_pid
        self.log_dir = os.path.join(work_dir, "log")
        self.network = self.captures = self.devices = self.pki = None
        self.values = {}  # what one check leaves for a later one

    def note(self, text):
        with open(os.path.join(self.work_dir, "lab.log"), "a", encoding="utf-8") as stream:
            stream.write(text.rstrip() + "\n")

    def start(self):
        os.makedirs(self.log_dir)
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

    def host(self, name):
        return self.network[name]

    def close(self):
        """Ends everything; returns what is still there, which should be nothing."""
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
        print(f"""
the lab is running; its process is {self.outer_pid}
  into its namespaces    nsenter --target {self.outer_pid} --mount --pid
  then, a shell on a host    ip netns exec rogue bash     (plc meter camera rogue scada cloud)
  captures, logs         {self.work_dir}/captures {self.log_dir}
Ctrl-C takes it down.""", flush=True)
        try:
            import signal
            signal.pause()
        except KeyboardInterrupt:
            pass
