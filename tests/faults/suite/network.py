"""A network of namespaces around one switch: the hub, where the test is, and one for each node.

Everything is made within a namespace of its own, so that nothing of it is seen by, or left on, the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as File
from typing import Final, Self

from tests.faults.suite.switch import CUT, Path, Paths, Switch, hardware_address, open_tap
from tests.support.eventually import eventually

HUB: Final = 254
"""The port at which the test is: it asks the nodes, and receives their notifications. Never in trouble."""
_INSIDE: Final = "TOCSIN_FAULTS_INSIDE"
_UNSHARE: Final = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
_PROBE: Final = (
    "import os; from tests.faults.suite.switch import open_tap; os.close(open_tap('probe')); "
    "import subprocess; subprocess.run(['mount', '-t', 'tmpfs', 'none', '/mnt'], check=True)"
)


def address(port: int) -> str:
    """The IP address at a port of the switch."""
    return f"10.99.0.{port}"


def why_not() -> str:
    """Why no namespaces can be made here; empty if they can."""
    for program in ("unshare", "nsenter", "ip", "mount"):
        if shutil.which(program) is None:
            return f"{program} is not installed (util-linux, iproute2)"
    done = subprocess.run(
        [*_enter(), sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return f"no network namespaces with TAP devices are allowed here: {last[-1]}"
    return ""


def run_inside(module: str, arguments: Sequence[str]) -> int | None:
    """Run the module in namespaces of its own; its exit status, or None if we are there already."""
    if os.environ.get(_INSIDE):
        return None
    command = [*_enter(), sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env={**os.environ, _INSIDE: "1"}, check=False).returncode


def _enter() -> tuple[str, ...]:
    return _UNSHARE if os.geteuid() == 0 else (*_UNSHARE, "--user", "--map-root-user")


def _ip(*arguments: str, inside: int = 0) -> None:
    command = [*entering(inside), "ip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def entering(pid: int) -> tuple[str, ...]:
    """What to put in front of a command that is to run in the network of that process."""
    return ("nsenter", f"--net=/proc/{pid}/ns/net") if pid else ()


class Network:
    """Ports 1 to ``size``. Use as a context manager, and before there are threads."""

    def __init__(self, size: int, seed: int) -> None:
        self.ports = range(1, size + 1)
        self._seed = seed
        self._holders: dict[int, subprocess.Popen[bytes]] = {}
        self._taps: dict[int, int] = {}

    def __enter__(self) -> Self:
        _ip("link", "set", "lo", "up")
        for port in (*self.ports, HUB):
            self._taps[port] = open_tap(f"tap{port}")
            if port != HUB:
                self._move(port)
            self._configure(port)
        self.switch = Switch(self._taps, self._seed)
        return self

    def __exit__(self, *exc: object) -> None:
        self.switch.close()
        for descriptor in self._taps.values():
            os.close(descriptor)
        for holder in self._holders.values():
            holder.kill()
            holder.wait()

    def entering(self, port: int) -> tuple[str, ...]:
        """What to put in front of a command that is to run at that port."""
        return entering(self._holders[port].pid)

    def become(self, paths: Paths) -> None:
        """How the network is from now on. Nothing stands between the hub and a node."""
        self.switch.become(paths)

    def heal(self) -> None:
        """All is well."""
        self.become({})

    def divide(self, *parts: Iterable[int]) -> None:
        """Nothing goes between the parts."""
        part_of = {port: number for number, part in enumerate(parts) for port in part}
        self.become(
            {(a, b): CUT for a in self.ports for b in self.ports if a != b and part_of[a] != part_of[b]}
        )

    def between_all(self, path: Path) -> Mapping[tuple[int, int], Path]:
        """The same between all nodes."""
        return {(a, b): path for a in self.ports for b in self.ports if a != b}

    def _move(self, port: int) -> None:
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._holders[port] = holder
        own = File("/proc/self/ns/net").readlink()
        eventually(
            lambda: File(f"/proc/{holder.pid}/ns/net").readlink() != own, f"the namespace of port {port}"
        )
        _ip("link", "set", f"tap{port}", "netns", str(holder.pid))

    def _configure(self, port: int) -> None:
        inside = self._holders[port].pid if port != HUB else 0
        name = f"tap{port}"
        _ip("link", "set", "lo", "up", inside=inside)
        _ip("link", "set", name, "address", hardware_address(port).hex(":"), inside=inside)
        _ip("address", "add", f"{address(port)}/24", "dev", name, inside=inside)
        _ip("link", "set", name, "up", inside=inside)
