"""A real DNS server, NSD, from its unpacked package: one zone, whose records change while it runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import dns.message
import dns.query
import dns.rcode

from tests.support.eventually import eventually
from tests.support.processes import Process, free_port

ZONE = "cluster.test"
FOLDER = "nsd-bookworm"


def why_not() -> str:
    """Why there is no NSD here; empty if there is."""
    peers = os.environ.get("TOCSIN_PEERS")
    if not peers:
        return "TOCSIN_PEERS is not set: see tools/fetch-peers"
    if not (Path(peers) / FOLDER / ".done").exists():
        return f"no {FOLDER} in {peers}"
    return ""


class NameServer:
    """Answers for ``cluster.test`` on a port of 127.0.0.1, by UDP and TCP. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._folder = folder
        self._serial = int(time.time())
        self._zone = folder / f"{ZONE}.zone"
        folder.mkdir(parents=True, exist_ok=True)
        package = Path(os.environ["TOCSIN_PEERS"]).resolve() / FOLDER
        config = folder / "nsd.conf"
        config.write_text(f"""\
server:
    ip-address: 127.0.0.1@{self.port}
    username: ""
    server-count: 1
    zonesdir: "{folder}"
    database: ""
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    pidfile: "{folder}/nsd.pid"
    zonefiles-check: yes
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: "{ZONE}"
    zonefile: "{self._zone.name}"
""")
        libraries = ":".join(str(path) for path in (package / "usr/lib").glob("*-linux-gnu"))
        self.process = Process(
            "nsd",
            [package / "usr/sbin/nsd", "-d", "-c", config],
            log=folder / "nsd.log",
            environment={"LD_LIBRARY_PATH": libraries},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.process.forget()

    def start(self, records: Iterable[str] | None) -> Self:
        """Serve ``records``, each ``name ttl kind data`` within the zone; None: SERVFAIL for all of it."""
        if records is None:
            self._zone.unlink(missing_ok=True)
        else:
            self._write(records)
        self.process.start()
        eventually(
            lambda: self._rcode() is not None, "nsd answers", ignoring=(OSError, dns.exception.DNSException)
        )
        return self

    def serve(self, records: Iterable[str]) -> None:
        """Other records from now on."""
        serial = self._write(records)
        self.process.send(signal.SIGHUP)
        eventually(
            lambda: self._served() == serial, "nsd has read the zone", ignoring=(dns.exception.DNSException,)
        )

    def stop(self) -> None:
        """Nobody answers at the port any more."""
        self.process.send(signal.SIGCONT)
        self.process.terminate()

    def freeze(self) -> None:
        """It takes questions, and answers none."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def _family(self) -> list[int]:
        """Of the process that was started and those that it started."""
        found = [self.process.pid]
        for pid in found:
            for listing in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in listing.read_text().split()]
        return found

    def _write(self, records: Iterable[str]) -> int:
        self._serial += 1
        soa = f"@ 60 SOA ns hostmaster {self._serial} 3600 600 86400 5"
        head = f"$ORIGIN {ZONE}.\n{soa}\n@ 60 NS ns\nns 60 A 127.0.0.1\n"
        draft = self._zone.with_suffix(".new")
        draft.write_text(head + "".join(f"{record}\n" for record in records))
        draft.replace(self._zone)
        # It compares whole seconds.
        os.utime(self._zone, (self._serial, self._serial))
        return self._serial

    def _ask(self) -> dns.message.Message:
        question = dns.message.make_query(ZONE, "SOA")
        return dns.query.udp(question, "127.0.0.1", port=self.port, timeout=1.0)

    def _rcode(self) -> dns.rcode.Rcode:
        return self._ask().rcode()

    def _served(self) -> int:
        answer = self._ask().answer
        return int(answer[0][0].serial) if answer else 0
