"""Certificates of the lab, made anew for every run with openssl. EC P-256 throughout."""
import os

from .netns import run
from .topology import BROKER_NAME, GATEWAY_ADDRESS

DAYS = "30"


class Pki:
    """Files `NAME.pem` (certificate) and `NAME.key` below `directory`."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        for authority in ("plant-ca", "gateway-ca", "cloud-ca", "other-ca"):
            self._authority(authority)
        office = ",".join(f"IP:{address}" for address in GATEWAY_ADDRESS["office"])
        self._leaf("gw", "gateway-ca", "serverAuth", f"DNS:plc.plant.example,DNS:camera.plant.example,{office}")
        self._leaf("gw-client", "cloud-ca", "clientAuth", "DNS:gateway.plant.example")
        self._leaf("scada", "plant-ca", "clientAuth", "DNS:scada.plant.example")
        self._leaf("stranger", "other-ca", "clientAuth", "DNS:scada.plant.example")
        self._leaf("broker", "cloud-ca", "serverAuth", f"DNS:{BROKER_NAME}")
        self._leaf("broker-wrong-name", "cloud-ca", "serverAuth", "DNS:other.example")
        self._leaf("broker-wrong-ca", "other-ca", "serverAuth", f"DNS:{BROKER_NAME}")

    def certificate(self, name):
        return os.path.join(self.directory, name + ".pem")

    def key(self, name):
        return os.path.join(self.directory, name + ".key")

    def _authority(self, name):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS,
            "-subj", f"/O=Sallyport lab/CN={name}", "-keyout", self.key(name), "-out", self.certificate(name),
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _leaf(self, name, authority, usage, names):
        request, extensions = self.certificate(name) + ".req", self.certificate(name) + ".ext"
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/O=Sallyport lab/CN={name}", "-keyout", self.key(name), "-out", request)
        with open(extensions, "w", encoding="ascii") as stream:
            stream.write(f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                         f"extendedKeyUsage={usage}\nsubjectAltName={names}\n")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate(authority), "-CAkey", self.key(authority),
            "-CAcreateserial", "-days", DAYS, "-extfile", extensions, "-out", self.certificate(name))
        os.unlink(request)
        os.unlink(extensions)
