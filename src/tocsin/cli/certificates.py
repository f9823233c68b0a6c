"""``tocsinctl certs``: a local certificate authority for the cluster's mutual TLS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tocsin.certificates.folder import CertificateFolder
from tocsin.certificates.report import Report, describe
from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, SWITCH, Argument, Command, Flag, Kind
from tocsin.client.formats import to_json
from tocsin.errors import ConfigError
from tocsin.tls.names import shown_name


def run_init(invocation: Invocation) -> int:
    """``certs init``."""
    folder, name = _folder(invocation), invocation.text("name")
    folder.initialise(name, now=_now(), lifetime=_lifetime(invocation), force=invocation.on("force"))
    files = [(folder.certificate, "certificate"), (folder.key, "private key; keep it off the nodes")]
    _print(invocation, f"Made the authority {name!r}:", files)
    return 0


def run_issue(invocation: Invocation) -> int:
    """``certs issue``."""
    (name,), hosts = invocation.arguments, invocation.texts("host")
    files = _folder(invocation).issue(
        name, hosts, now=_now(), lifetime=_lifetime(invocation), force=invocation.on("force")
    )
    _print(
        invocation,
        f"Issued {name!r} for {', '.join(hosts)}:",
        [
            (files.certificate, "certificate, for serving and dialling"),
            (files.key, "private key"),
            (files.authority, "the authority's certificate"),
            (files.tls_config, "for --cluster.tls-config, of Tocsin or Alertmanager"),
        ],
    )
    return 0


def run_renew(invocation: Invocation) -> int:
    """``certs renew``."""
    (name,) = invocation.arguments
    files, hosts = _folder(invocation).renew(name, now=_now(), lifetime=_lifetime(invocation))
    _print(
        invocation,
        f"Issued {name!r} anew for {', '.join(hosts)}:",
        [(files.certificate, "certificate"), (files.key, "private key")],
        "Copy both to the node: a running node takes them within seconds.",
    )
    return 0


def run_revoke(invocation: Invocation) -> int:
    """``certs revoke``."""
    folder, now, lifetime = _folder(invocation), _now(), _lifetime(invocation)
    revoked = folder.revoke(invocation.arguments, now=now, lifetime=lifetime)
    lines = [
        f"Revoked {shown_name(one)}, serial {one.serial_number:x}, valid to"
        f" {one.not_valid_after_utc:%Y-%m-%d}"
        for one in revoked
    ]
    ends = now + lifetime
    lines.append(f"Wrote the list of {now:%Y-%m-%d %H:%M} UTC, to be replaced before {ends:%Y-%m-%d}:")
    _print(
        invocation,
        "\n".join(lines),
        [(folder.revocations, "copy it to every Tocsin node, beside its tls.yml")],
        "A tls.yml names it by client_crl_file (tls_server_config) and crl_file (tls_client_config):\n"
        "see docs/identity-and-rotation.md. An Alertmanager has no such lists.",
    )
    return 0


def run_show(invocation: Invocation) -> int:
    """``certs show``."""
    paths = [Path(file) for file in invocation.arguments]
    key, authority = invocation.path_of("key"), invocation.path_of("ca")
    if not paths:
        folder = _folder(invocation)
        paths = [folder.certificate, *(node.certificate for node in folder.nodes())]
    elif len(paths) > 1 and key is not None:
        raise ConfigError("--key", "fits one FILE only", "show them one by one")
    now = _now()
    reports: list[Report] = []
    for path in paths:
        report = describe(path, now=now, key=key, authority=authority)
        if invocation.output != "json":
            print(("\n" if reports else "") + str(report))
        reports.append(report)
    if invocation.output == "json":
        say(
            to_json(
                [
                    {"path": str(report.path), "found": dict(report.lines), "problems": report.problems}
                    for report in reports
                ]
            )
        )
    return 1 if any(report.problems for report in reports) else 0


def _print(invocation: Invocation, said: str, files: list[tuple[Path, str]], after: str = "") -> None:
    """Print which files were written, with a text before and after the list."""
    if invocation.output == "json":
        say(to_json({"files": {str(path): what for path, what in files}}))
        return
    print(said)
    width = max(len(str(path)) for path, _ in files)
    for path, what in files:
        print(f"  {path!s:<{width}}  {what}")
    if after:
        print(after)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _folder(invocation: Invocation) -> CertificateFolder:
    return CertificateFolder(Path(invocation.text("dir")))


def _lifetime(invocation: Invocation) -> timedelta:
    return invocation.value("days", timedelta)


def _days(text: str) -> timedelta:
    try:
        days = timedelta(days=int(text))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a number of days") from None
    if days <= timedelta(0):
        raise ValueError(f"{text!r}: give 1 or more days")
    return days


def _days_flag(default: int, what: str = "How long it is valid") -> Flag:
    return Flag("days", what, Kind("days", _days), default=str(default))


_DIRECTORY: Final = Flag("dir", "The authority's folder", FILE, default="certs")
_FORCE: Final = Flag("force", "Replace one that is there", SWITCH)
_NAME: Final = Argument("name", "The node's name; also the name of its folder", least=1, most=1)

INIT: Final = Command(
    run_init,
    flags=(
        _DIRECTORY,
        Flag("name", "The authority's name", default="Tocsin cluster CA"),
        _days_flag(3650),
        _FORCE,
    ),
)
ISSUE: Final = Command(
    run_issue,
    flags=(
        Flag(
            "host",
            "IP address or DNS name under which peers dial the node; Alertmanager dials addresses, so give"
            " its IP address",
            many=True,
            required=True,
        ),
        _DIRECTORY,
        _days_flag(365),
        _FORCE,
    ),
    arguments=(_NAME,),
    description="Writes DIR/NAME/: all that the node's machine needs.",
)
RENEW: Final = Command(
    run_renew,
    flags=(_DIRECTORY, _days_flag(365)),
    arguments=(_NAME,),
    description="Issues a certificate with a new key for the hosts of the old one, and replaces it; tls.yml"
    " stays as it is. The old certificate stays valid: revoke NAME before, if its key was lost.",
)
REVOKE: Final = Command(
    run_revoke,
    flags=(_DIRECTORY, _days_flag(90, "Until when it should be replaced; it counts afterwards too")),
    arguments=(Argument("names", "Names of nodes"),),
    description="Puts every certificate that was issued to a name on the revocation list DIR/crl.pem, and"
    " dates the list anew (without a name: only that). Nothing happens until the nodes have the list.",
)
SHOW: Final = Command(
    run_show,
    flags=(
        _DIRECTORY,
        Flag("key", "The private key (default: the one beside the file)", FILE),
        Flag("ca", "The authority's certificate (default: ca.pem beside the file)", FILE),
    ),
    arguments=(Argument("files", "PEM certificates (default: all of --dir)", FILE),),
    description="Exit status 1 if one has a problem.",
)
