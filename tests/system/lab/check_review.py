"""Reviews as data: only what reviewers have signed crosses the wires, and who they are is not the operator's to change."""
import json
import os

from . import netns, topology, variants, wait
from .checks import check
from .devices import connects

CONDUIT = "meter-reads-plc"
TERMINATED = "scada-reads-plc"


class Reviewers:
    """Two reviewers with keys as openssl makes them; the lab's configuration under their rules. Leaving lifts the rules, signed by one of them."""

    def __init__(self, lab):
        self.lab, self.keys = lab, {}
        for name in ("anna", "bert"):
            self.keys[name] = os.path.join(lab.work_dir, f"{name}.key")
            netns.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.keys[name])
        self.file = os.path.join(lab.work_dir, "reviewed.yaml")

    def rules(self, required):
        public = {name: netns.run("openssl", "pkey", "-in", key, "-pubout").stdout for name, key in self.keys.items()}
        reviewers = ", ".join(f"{{ name: {name}, key: {json.dumps(pem)} }}" for name, pem in public.items())
        return f"control:\n  review: {{ required-signatures: {required}, reviewers: [{reviewers}] }}\n"

    def write(self, text):
        with open(self.file, "w", encoding="utf-8") as stream:
            stream.write(text)

    def text(self):
        with open(self.file, encoding="utf-8") as stream:
            return stream.read()

    def sign(self, conduit, name):
        return self.lab.gateway.ctl("review", "sign", conduit, "--key", self.keys[name], "--file", self.file, "--edit")

    def apply(self, check_it=True):
        done = self.lab.gateway.apply(self.text(), check=check_it)
        if done.returncode == 0:
            self.lab.gateway.wait_in_force()
        return done

    def __enter__(self):
        self.lab.policy()
        self.write(variants.base() + variants.METER_READS_PLC + self.rules(1))
        return self

    def __exit__(self, *_):
        self.write(variants.base() + "control: { review: { required-signatures: 0 } }\n")
        # Refused if the rules never came into force; then nothing needs a signature.
        self.lab.gateway.ctl("review", "sign-rules", self.file, "--key", self.keys["anna"], "--edit", check=False)
        self.apply()
        self.lab.policy()


def meets(lab, source, target, port):
    """What connect() of one host to another meets, in each IP version."""
    host, targets = lab.host(source), [(address, port) for address in target]
    met = host.namespace.inside(lambda: connects(targets, 2))
    return sorted({met[item] for item in targets})


def listed(lab, conduit):
    return next(item for item in lab.gateway.read("review") if item["conduit"] == conduit)


@check("review-signed-alone-permits", "with one signature required, a conduit that nobody signed is silent on the wire; signed it is open, in both IP "
       "versions; with one port more it is silent again, and `sallyctl review` says what changed")
def signed_alone(lab):
    plc = lab.host("plc").addresses
    with Reviewers(lab) as reviewers:
        reviewers.apply()
        before, said_before = meets(lab, "meter", plc, 502), listed(lab, CONDUIT)
        reviewers.sign(CONDUIT, "anna")
        reviewers.apply()
        signed, said_signed = meets(lab, "meter", plc, 502), listed(lab, CONDUIT)
        reviewers.write(reviewers.text().replace("to: plc\n    service: modbus\n    review: { signed",
                                                 "to: plc\n    service: tcp/502-503\n    review: { signed"))
        reviewers.apply()
        widened, said_widened = meets(lab, "meter", plc, 502), listed(lab, CONDUIT)
    told = "service changed from tcp/502 to tcp/502-503" in said_widened["why"]
    return before == ["silent"] and "silent" not in signed and widened == ["silent"] and told \
        and (said_before["state"], said_signed["state"], said_widened["state"]) == ("unsigned", "valid", "void") \
        and said_signed["signed_by"] == ["anna"], \
        f"unsigned {before}, signed {signed}, widened {widened}: {said_widened['why']}"


@check("review-authority-voids", "a signed conduit whose client CA's file is changed in the key store is silent within 10 s without a commit, named by "
       "its hash; with the old file it is open again")
def authority_voids(lab):
    stored = os.path.join(lab.gateway.state_dir, "keys", "plant-ca.ca")
    with open(stored, "rb") as stream:
        right = stream.read()
    office = list(topology.GATEWAY_ADDRESS["office"])
    with Reviewers(lab) as reviewers:
        reviewers.sign(TERMINATED, "bert")
        reviewers.apply()
        signed = meets(lab, "scada", office, 802)
        try:
            with open(stored, "ab") as stream:
                stream.write(b"\n")
            gone = wait.holds(lambda: listed(lab, TERMINATED)["state"] == "void", 10)
            why = listed(lab, TERMINATED)["why"]
            lab.gateway.wait_in_force()
            changed = meets(lab, "scada", office, 802)
        finally:
            with open(stored, "wb") as stream:
                stream.write(right)
        back = wait.holds(lambda: listed(lab, TERMINATED)["state"] == "valid", 10)
        lab.gateway.wait_in_force()
        again = meets(lab, "scada", office, 802)
    return "silent" not in signed and gone and "hash of plant-ca changed from" in why and changed == ["silent"] and back \
        and "silent" not in again, f"signed {signed}, changed {changed}, mended {again}; {why[:100]}"


@check("review-who-signs", "control.review cannot be weakened, removed or given another reviewer by whoever may apply; with the signature of a reviewer "
       "in force it can")
def who_signs(lab):
    with Reviewers(lab) as reviewers:
        reviewers.apply()
        strong = reviewers.text()
        revision = lab.gateway.revision_in_force()
        codes = {}
        for what, text in (("weaker", strong.replace("required-signatures: 1", "required-signatures: 0")),
                           ("removed", strong[:strong.index("control:")]),
                           ("another reviewer", strong.replace("name: bert", "name: mallory"))):
            reviewers.write(text)
            done = reviewers.apply(check_it=False)
            codes[what] = (done.returncode, "needs the signatures of 1 of the reviewers in force" in done.stderr)
        kept = lab.gateway.revision_in_force() == revision
        reviewers.write(strong.replace("name: bert", "name: berta"))
        lab.gateway.ctl("review", "sign-rules", reviewers.file, "--key", reviewers.keys["bert"], "--edit")
        signed = reviewers.apply(check_it=False)
    return set(codes.values()) == {(6, True)} and kept and signed.returncode == 0, f"{codes}; signed by bert: {signed.returncode}"
