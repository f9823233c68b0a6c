"""The files of the local authority.

::

    DIR/            0700
      ca.pem        the authority's certificate
      ca-key.pem    0600, its key: keep it off the nodes
      crl.pem       who is revoked, once somebody is: copy it to every Tocsin node
      issued/       each certificate that was ever issued, to be found when it is to be revoked
      NAME/         0700, all that one node needs: copy this folder to its machine
        cert.pem    the node's certificate
        key.pem     0600
        ca.pem      a copy of the authority's certificate
        tls.yml     for --cluster.tls-config, of Tocsin and of Alertmanager; paths relative to itself

A key is never on the disk with a wider mode, not even for a moment. Nothing is overwritten unless asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tocsin.certificates.authority import Identity, check_node_name, create_authority, issue_node_certificate
from tocsin.certificates.revocation import write_list
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError

PUBLIC_MODE = 0o644
PRIVATE_MODE = 0o600
DIRECTORY_MODE = 0o700
ISSUED = "issued"

# Only keys that every Alertmanager with --cluster.tls-config knows, the oldest refuses newer ones.
TLS_CONFIG = """\
# Mutual TLS for the cluster: --cluster.tls-config=<this file>. Paths are relative to this file.
tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
tls_client_config:
  cert_file: cert.pem
  key_file: key.pem
  ca_file: ca.pem
"""


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """Where the files of one node are."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "cert.pem"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    @property
    def authority(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def tls_config(self) -> Path:
        """The file for ``--cluster.tls-config``."""
        return self.directory / "tls.yml"


@dataclass(frozen=True, slots=True)
class CertificateFolder:
    """The folder of one authority and of what it issued."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """The authority's."""
        return self.directory / "ca.pem"

    @property
    def key(self) -> Path:
        return self.directory / "ca-key.pem"

    def node(self, name: str) -> NodeFiles:
        """Where the files of the node ``name`` are or would be. Raises ConfigError for a bad name."""
        if check_node_name(name) == ISSUED:
            raise ConfigError("NAME", f"{name!r} is kept for what was issued", "choose another name")
        return NodeFiles(self.directory / name)

    @property
    def revocations(self) -> Path:
        """The list of who is revoked."""
        return self.directory / "crl.pem"

    def issued(self, name: str) -> list[x509.Certificate]:
        """Every certificate of the node ``name`` that is known here, the current one included.

        Raises ConfigError for a bad name, or if there is none.
        """
        current = self.node(name).certificate
        paths = [*sorted((self.directory / ISSUED).glob(f"{name}={'[0-9a-f]' * 40}.pem"))]
        paths += [current] if current.exists() else []
        found = {one.serial_number: one for one in map(read_certificate, paths)}
        if not found:
            raise ConfigError(
                str(current.parent),
                "no certificate was issued under this name here",
                "see: tocsinctl certs show",
            )
        return list(found.values())

    def revoke(self, names: Iterable[str], *, now: datetime, lifetime: timedelta) -> list[x509.Certificate]:
        """Put every certificate of these nodes on the list, and date it anew; what was put on it.

        Raises ConfigError: no authority, an unknown node, a certificate of another authority, a list that
        cannot be read.
        """
        authority = self.load()
        wanted = [one for name in names for one in self.issued(name)]
        for one in wanted:
            if not _issued_by(one, authority):
                raise ConfigError(
                    str(self.certificate),
                    f"did not issue certificate {one.serial_number:x}",
                    "revoke it there",
                )
        pem = write_list(authority, self._read_revocations(authority), wanted, now=now, lifetime=lifetime)
        _write(self.revocations, pem, PUBLIC_MODE, force=True)
        return wanted

    def _read_revocations(self, authority: Identity) -> x509.CertificateRevocationList | None:
        try:
            found = x509.load_pem_x509_crl(self.revocations.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(str(self.revocations), error.strerror or str(error)) from None
        except ValueError:
            raise ConfigError(str(self.revocations), "holds no PEM revocation list") from None
        if not found.is_signature_valid(authority.key.public_key()):
            raise ConfigError(
                str(self.revocations), f"is not of {self.certificate}", "move it away; a new one is written"
            )
        return found

    def renew(self, name: str, *, now: datetime, lifetime: timedelta) -> tuple[NodeFiles, list[str]]:
        """A new certificate and key for the same hosts, replacing the old; ``tls.yml`` stays as it is.

        Raises ConfigError as :meth:`issue`, and if there is none to renew.
        """
        files = self.node(name)
        old = read_certificate(files.certificate, missing="issue one with: tocsinctl certs issue")
        try:
            names = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            raise ConfigError(str(files.certificate), "has no hosts", "issue a new one with --host") from None
        hosts = [str(one.value) for one in names if isinstance(one, x509.DNSName | x509.IPAddress)]
        self._keep(name, old)
        self.issue(name, hosts, now=now, lifetime=lifetime, force=True, keep_config=True)
        return files, hosts

    def _keep(self, name: str, certificate: x509.Certificate) -> None:
        folder = self.directory / ISSUED
        _make_directory(folder)
        path = folder / f"{name}={certificate.serial_number:040x}.pem"
        _write(path, certificate.public_bytes(serialization.Encoding.PEM), PUBLIC_MODE, force=True)

    def nodes(self) -> list[NodeFiles]:
        """Every node that has a certificate here, by name."""
        return [NodeFiles(path.parent) for path in sorted(self.directory.glob("*/cert.pem"))]

    def initialise(self, name: str, *, now: datetime, lifetime: timedelta, force: bool = False) -> Identity:
        """Make the authority and write it. Raises ConfigError if one is there already (unless ``force``)."""
        authority = create_authority(name, now=now, lifetime=lifetime)
        _refuse_existing([self.key, self.certificate], force)
        _make_directory(self.directory)
        _write(self.key, authority.key_pem, PRIVATE_MODE, force)
        _write(self.certificate, authority.certificate_pem, PUBLIC_MODE, force)
        return authority

    def load(self) -> Identity:
        """The authority. Raises ConfigError if it is missing, unreadable, or its key does not fit."""
        certificate = read_certificate(self.certificate, missing="make it with: tocsinctl certs init")
        key = _read_key(self.key)
        if key.public_key() != certificate.public_key():
            raise ConfigError(str(self.key), f"is not the key of {self.certificate}")
        return Identity(certificate, key)

    def issue(
        self,
        name: str,
        hosts: Iterable[str],
        *,
        now: datetime,
        lifetime: timedelta,
        force: bool = False,
        keep_config: bool = False,
    ) -> NodeFiles:
        """Issue a certificate and write the node's folder, its ``tls.yml`` last.

        ``keep_config``: not if there is one already.

        Raises ConfigError: no authority, a bad name or host, or files that are there already.
        """
        files = self.node(name)
        authority = self.load()
        identity = issue_node_certificate(authority, name, hosts, now=now, lifetime=lifetime)
        _refuse_existing([files.key, files.certificate, files.authority, files.tls_config], force)
        _make_directory(files.directory)
        if files.certificate.exists():
            self._keep(name, read_certificate(files.certificate))
        self._keep(name, identity.certificate)
        _write(files.key, identity.key_pem, PRIVATE_MODE, force)
        _write(files.certificate, identity.certificate_pem, PUBLIC_MODE, force)
        _write(files.authority, authority.certificate_pem, PUBLIC_MODE, force)
        if not (keep_config and files.tls_config.exists()):
            _write(files.tls_config, TLS_CONFIG.encode(), PUBLIC_MODE, force)
        return files


def _issued_by(certificate: x509.Certificate, authority: Identity) -> bool:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def read_certificate(path: Path, *, missing: str = "") -> x509.Certificate:
    """The first certificate of a PEM file. Raises ConfigError naming the file."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(str(path), "no such file", missing) from None
    except OSError as error:
        raise ConfigError(str(path), error.strerror or str(error)) from None
    except ValueError:
        raise ConfigError(str(path), "holds no PEM certificate") from None


def read_key(path: Path) -> object:
    """The private key of a PEM file, of any kind. Raises ConfigError naming the file."""
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(str(path), error.strerror or str(error)) from None
    except TypeError:
        raise ConfigError(str(path), "the key is encrypted", "give it unencrypted, mode 0600") from None
    except ValueError:
        raise ConfigError(str(path), "holds no PEM private key") from None


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = read_key(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(str(path), "is not an EC key", "make the authority with: tocsinctl certs init")
    return key


def _refuse_existing(paths: Iterable[Path], force: bool) -> None:
    if force:
        return
    for path in paths:
        if os.path.lexists(path):
            raise ConfigError(str(path), "exists already", "--force overwrites it")


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(str(path), f"cannot make the directory: {error.strerror or error}") from None


def _write(path: Path, data: bytes, mode: int, force: bool) -> None:
    """Write a file that has its mode from its first moment; an overwritten one changes in one step."""
    target = path.with_name(f".{path.name}.{os.getpid()}.new") if force else path
    try:
        # O_EXCL: neither an existing file nor a symbolic link that waits at this name is written through.
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if force:
            target.replace(path)
    except OSError as error:
        raise ConfigError(str(path), f"cannot write: {error.strerror or error}") from None
