"""Which files hold checks, in the order in which they run."""
import importlib

FILES = ("check_lab", "check_walls", "check_prove", "check_tls", "check_rogue", "check_hostile", "check_fragments", "check_explain", "check_explain_drops", "check_top", "check_capture", "check_tcp", "check_timeouts", "check_bulk", "check_nat", "check_path_mtu", "check_ports", "check_config",
         "check_revisions", "check_review", "check_policy", "check_kill", "check_workers", "check_namespace", "check_processes", "check_metrics", "check_scan", "check_pci", "check_end")


def load():
    for name in FILES:
        importlib.import_module(f"lab.{name}")
