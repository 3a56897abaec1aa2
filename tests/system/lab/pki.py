"""Certificates of the lab, made anew for every run by tests/system/pki.sh, and the terminator's key store filled with them."""
import os
import shutil

from .netns import run
from .topology import GATEWAY_ADDRESS

PKI_SH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pki.sh")
# What gateway.yaml names. The gateway holds no other key and no authority's.
STORE = ("gw.crt", "gw.key", "plant-ca.ca", "plant-ca.crl", "cloud-ca.ca", "gw-client.crt", "gw-client.key")


class Pki:
    def __init__(self, directory):
        self.directory = directory
        names = ["DNS:plc.plant.example", "DNS:camera.plant.example"]
        names += [f"IP:{address}" for address in GATEWAY_ADDRESS["office"]]
        run(PKI_SH, directory, *names, timeout=60)

    def certificate(self, name):
        return os.path.join(self.directory, name + (".ca" if name.endswith("-ca") else ".crt"))

    def key(self, name):
        return os.path.join(self.directory, name + ".key")

    def fill_store(self, store, owner):
        for name in STORE:
            shutil.copy(os.path.join(self.directory, name), store)
            shutil.chown(os.path.join(store, name), owner, owner)
            os.chmod(os.path.join(store, name), 0o600)
