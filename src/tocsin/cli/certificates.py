"""``tocsinctl certs``: a local certificate authority for the cluster's mutual TLS."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.certificates.folder import CertificateFolder
from tocsin.certificates.report import Report, describe
from tocsin.errors import ConfigError
from tocsin.tls.names import shown_name

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT_DIRECTORY = Path("certs")
AUTHORITY_DAYS = 3650
NODE_DAYS = 365
LIST_DAYS = 90


def add_commands(commands: Subparsers) -> None:
    """Add ``certs`` and its own commands to ``tocsinctl``."""
    certs = commands.add_parser(
        "certs",
        help="certificates for mutual TLS between nodes",
        description="A small certificate authority: make it once, issue a certificate to each node.",
        allow_abbrev=False,
    )
    verbs = certs.add_subparsers(metavar="COMMAND", required=True)
    _add_init(verbs)
    _add_issue(verbs)
    _add_renew(verbs)
    _add_revoke(verbs)
    _add_show(verbs)


def _add_init(verbs: Subparsers) -> None:
    init = verbs.add_parser("init", help="make the authority", allow_abbrev=False)
    _add_directory(init)
    init.add_argument(
        "--name", default="Tocsin cluster CA", help="the authority's name (default: %(default)s)"
    )
    _add_days(init, AUTHORITY_DAYS)
    init.add_argument("--force", action="store_true", help="replace one that is there")
    init.set_defaults(run=run_init)


def _add_issue(verbs: Subparsers) -> None:
    issue = verbs.add_parser(
        "issue",
        help="issue a node's certificate and its tls.yml",
        description="Issue a certificate and write DIR/NAME/: all that the node's machine needs.",
        allow_abbrev=False,
    )
    issue.add_argument("name", metavar="NAME", help="the node's name; also the name of its folder")
    issue.add_argument(
        "--host",
        action="append",
        required=True,
        dest="hosts",
        metavar="HOST",
        help="IP address or DNS name under which peers dial the node (repeatable); "
        "Alertmanager dials addresses, so give its IP address",
    )
    _add_directory(issue)
    _add_days(issue, NODE_DAYS)
    issue.add_argument("--force", action="store_true", help="replace one that is there")
    issue.set_defaults(run=run_issue)


def _add_renew(verbs: Subparsers) -> None:
    renew = verbs.add_parser(
        "renew",
        help="issue a node a new certificate for the same hosts",
        description="Issue a new certificate with a new key for the hosts of the old one, in place of it; "
        "tls.yml stays as it is. The old certificate stays valid: revoke NAME before, if its key was lost.",
        allow_abbrev=False,
    )
    renew.add_argument("name", metavar="NAME", help="the node's name")
    _add_directory(renew)
    _add_days(renew, NODE_DAYS)
    renew.set_defaults(run=run_renew)


def _add_revoke(verbs: Subparsers) -> None:
    revoke = verbs.add_parser(
        "revoke",
        help="revoke every certificate of a node",
        description="Put every certificate that was issued to NAME on the revocation list DIR/crl.pem, and"
        " date the list anew (without NAME: only that). Nothing happens until the nodes have the list.",
        allow_abbrev=False,
    )
    revoke.add_argument("names", metavar="NAME", nargs="*", help="a node's name")
    _add_directory(revoke)
    _add_days(revoke, LIST_DAYS, what="until when it should be replaced; it counts afterwards too")
    revoke.set_defaults(run=run_revoke)


def _add_show(verbs: Subparsers) -> None:
    show = verbs.add_parser(
        "show",
        help="show certificates and whether they fit",
        description="Show certificates; without FILE, all of DIR. Exit status 1 if one has a problem.",
        allow_abbrev=False,
    )
    show.add_argument("files", metavar="FILE", nargs="*", type=Path, help="a PEM certificate")
    _add_directory(show)
    show.add_argument("--key", type=Path, help="the private key (default: the one beside FILE)")
    show.add_argument("--ca", type=Path, help="the authority's certificate (default: ca.pem beside FILE)")
    show.set_defaults(run=run_show)


def _add_directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir", type=Path, default=DEFAULT_DIRECTORY, help="the authority's folder (default: %(default)s)"
    )


def _add_days(parser: argparse.ArgumentParser, default: int, what: str = "how long it is valid") -> None:
    parser.add_argument(
        "--days",
        type=_days,
        default=timedelta(days=default),
        help=f"{what} (default: {default})",
    )


def _days(text: str) -> timedelta:
    try:
        days = timedelta(days=int(text))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days") from None
    if days <= timedelta(0):
        raise argparse.ArgumentTypeError(f"{text!r}: give 1 or more")
    return days


def run_init(arguments: argparse.Namespace) -> int:
    """``certs init``."""
    folder = CertificateFolder(arguments.dir)
    folder.initialise(arguments.name, now=_now(), lifetime=arguments.days, force=arguments.force)
    print(f"Made the authority {arguments.name!r}:")
    _print_files([(folder.certificate, "certificate"), (folder.key, "private key; keep it off the nodes")])
    return 0


def run_issue(arguments: argparse.Namespace) -> int:
    """``certs issue``."""
    files = CertificateFolder(arguments.dir).issue(
        arguments.name, arguments.hosts, now=_now(), lifetime=arguments.days, force=arguments.force
    )
    print(f"Issued {arguments.name!r} for {', '.join(arguments.hosts)}:")
    _print_files(
        [
            (files.certificate, "certificate, for serving and dialling"),
            (files.key, "private key"),
            (files.authority, "the authority's certificate"),
            (files.tls_config, "for --cluster.tls-config, of Tocsin or Alertmanager"),
        ]
    )
    return 0


def run_renew(arguments: argparse.Namespace) -> int:
    """``certs renew``."""
    files, hosts = CertificateFolder(arguments.dir).renew(arguments.name, now=_now(), lifetime=arguments.days)
    print(f"Issued {arguments.name!r} anew for {', '.join(hosts)}:")
    _print_files([(files.certificate, "certificate"), (files.key, "private key")])
    print("Copy both to the node: a running node takes them within seconds.")
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """``certs revoke``."""
    folder, now = CertificateFolder(arguments.dir), _now()
    revoked = folder.revoke(arguments.names, now=now, lifetime=arguments.days)
    for one in revoked:
        until = f"{one.not_valid_after_utc:%Y-%m-%d}"
        print(f"Revoked {shown_name(one)}, serial {one.serial_number:x}, valid to {until}")
    ends = now + arguments.days
    print(f"Wrote the list of {now:%Y-%m-%d %H:%M} UTC, to be replaced before {ends:%Y-%m-%d}:")
    _print_files([(folder.revocations, "copy it to every Tocsin node, beside its tls.yml")])
    print(
        "A tls.yml names it by client_crl_file (tls_server_config) and crl_file (tls_client_config):\n"
        "see docs/identity-and-rotation.md. An Alertmanager has no such lists."
    )
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """``certs show``."""
    paths: list[Path] = arguments.files
    if not paths:
        folder = CertificateFolder(arguments.dir)
        paths = [folder.certificate, *(node.certificate for node in folder.nodes())]
    elif len(paths) > 1 and arguments.key is not None:
        raise ConfigError("--key", "fits one FILE only", "show them one by one")
    now = _now()
    reports: list[Report] = []
    for path in paths:
        report = describe(path, now=now, key=arguments.key, authority=arguments.ca)
        print(("\n" if reports else "") + str(report))
        reports.append(report)
    return 1 if any(report.problems for report in reports) else 0


def _print_files(files: list[tuple[Path, str]]) -> None:
    width = max(len(str(path)) for path, _ in files)
    for path, what in files:
        print(f"  {path!s:<{width}}  {what}")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
