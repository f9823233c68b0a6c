"""The cluster under attack, and the certificates of those who attack it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.faults.hostile import carriers, cleartext, costly, datagrams, members, strangers
from tests.faults.hostile.attack import ATTACKS, CLEAR, DTLS, Attack, Counter
from tests.faults.hostile.attacker import Attacker
from tests.support.api import prometheus_alert
from tests.support.cluster import Cluster, issue, make_authority
from tests.support.node import Node, metric
from tests.support.tocsin_node import TOCSIN
from tocsin.certificates import NodeFiles

REGISTERED = (members, carriers, costly, strangers, cleartext, datagrams)
FLAGS = {"cluster.probe-interval": "1s", "cluster.probe-timeout": "500ms", "cluster.gossip-interval": "200ms"}
NAMES = ("a", "b", "c")


@dataclass
class Setting:
    """Nodes named a, b and c; a is attacked."""

    cluster: Cluster
    files: dict[str, NodeFiles | None] = field(default_factory=dict)

    @property
    def target(self) -> Node:
        return self.cluster.nodes[0]

    def attacker(self, attack: Attack) -> Attacker:
        files = self.files[attack.certificate]
        other = f"127.0.0.1:{self.cluster.nodes[1].cluster_port}"
        return Attacker("127.0.0.1", self.target.cluster_port, files, attack.carrier, other)

    def counters(self) -> dict[Counter, float]:
        """What every attack is counted by, now."""
        text = self.target.api.metrics()
        wanted = {counter for attack in ATTACKS for counter in attack.counted}
        return {
            one: metric(text, one.name, **({"reason": one.reason} if one.reason else {})) for one in wanted
        }

    def missing(self) -> list[str]:
        """Nodes that some node does not see."""
        return [
            f"{node.name} does not see {name}"
            for node in self.cluster.nodes
            for name in {each.name for each in self.cluster.nodes} - node.api.peer_names()
        ]


class Settings:
    """Starts the cluster that an attack goes to when it is first asked for; ``stack`` ends them."""

    def __init__(self, folder: Path, stack: ExitStack, *, log_level: str = "info") -> None:
        self._folder = folder
        self._stack = stack
        self._log_level = log_level
        self._made: dict[str, Setting] = {}

    def of(self, attack: Attack) -> Setting:
        """The cluster."""
        kind = attack.carrier if attack.carrier in (CLEAR, DTLS) else ""
        if kind not in self._made:
            start = {CLEAR: clear_setting, DTLS: dtls_setting}.get(kind, setting)
            made = start(self._folder / (kind.replace(" ", "-") or "secured"), log_level=self._log_level)
            self._made[kind] = self._stack.enter_context(made)
        return self._made[kind]


@contextmanager
def clear_setting(folder: Path, *, log_level: str = "info") -> Iterator[Setting]:
    """Two nodes in clear text."""
    with Cluster(folder, flags={**FLAGS, "log.level": log_level}, udp=True) as cluster:
        for name in NAMES[:2]:
            cluster.add(TOCSIN, name, peer_name=name)
        cluster.wait_whole()
        yield Setting(cluster, {"": None})


@contextmanager
def dtls_setting(folder: Path, *, log_level: str = "info") -> Iterator[Setting]:
    """As :func:`setting`, over DTLS."""
    with setting(folder, log_level=log_level, **{"cluster.transport": "dtls"}) as made:
        yield made


@contextmanager
def setting(folder: Path, *, log_level: str = "info", **flags: str) -> Iterator[Setting]:
    """The cluster, whole."""
    with Cluster(folder, flags={**FLAGS, "log.level": log_level, **flags}) as cluster:
        for name in NAMES:
            cluster.add(TOCSIN, name, peer_name=name)
        cluster.wait_whole()
        alerts = [prometheus_alert(f"Held{number}", text="a" * number) for number in range(0, 250, 5)]
        cluster.nodes[0].api.post_alerts(*({**each, "endsAt": "2099-01-01T00:00:00Z"} for each in alerts))
        authority = folder / "certs"
        files: dict[str, NodeFiles | None] = {
            "": None,
            "member": cluster.issue("attacker"),
            "stranger": issue(make_authority(folder / "elsewhere"), "stranger"),
            "expired": forged(authority, folder / "expired", age=timedelta(hours=2)),
            "server-only": forged(
                authority, folder / "server-only", usages=[ExtendedKeyUsageOID.SERVER_AUTH]
            ),
        }
        yield Setting(cluster, files)


def forged(
    authority: Path,
    folder: Path,
    *,
    age: timedelta = timedelta(0),
    usages: list[x509.ObjectIdentifier] | None = None,
) -> NodeFiles:
    """A certificate of the cluster's own authority that ``tocsinctl certs`` would not issue."""
    signer = serialization.load_pem_private_key((authority / "ca-key.pem").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now - age + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("attacker")]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage(
                usages or [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = NodeFiles(folder)
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files
