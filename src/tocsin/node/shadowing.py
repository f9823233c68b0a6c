"""``--dispatch.shadow``: the node decides as others do, sends nothing, and reports where they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, get_args

from tocsin.aio import MachineShell
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.decisions import Decision
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.nflog import Entry, LogReader, RecordedEntries
from tocsin.alerting.shadow.model import GAUGES, Judgement, Result
from tocsin.alerting.shadow.shadow import Shadow
from tocsin.alerting.shadow.texts import clock
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import ConfigError
from tocsin.node.clock import Clock
from tocsin.node.config.flags import NodeFlags
from tocsin.node.log import Logger
from tocsin.node.log_bound import LogBound

IN_SHADOW: Final = (
    "in shadow (--dispatch.shadow): this node notifies nobody; what it would send is compared with what the"
    " others log (tocsinctl shadow report)"
)
MAX_LOGGED: Final = 3
"""Alerts that a line of the log names."""
LINES: Final = 32
"""Log lines about one kind of difference at one receiver in ten seconds; for all receivers four times as
many."""


Standing = tuple[int, frozenset[str], int]
"""See :attr:`tocsin.node.cluster.cluster.Cluster.standing`."""


class Shadowing:
    """For one node. ``recorded`` holds what our own flow has decided until it may be dropped;
    ``log`` has what the others have sent. :class:`~tocsin.errors.ConfigError` without a cluster."""

    GAUGES: Final = GAUGES
    """Of the machine's statistics."""

    def __init__(self, flags: NodeFlags, log: LogReader, recorded: RecordedEntries, clock: Clock) -> None:
        if not flags.cluster_listen_address:
            raise ConfigError(
                "--dispatch.shadow",
                "there is nobody to compare with: --cluster.listen-address is empty",
                "leave that out, and name the cluster's members by --cluster.peer",
            )
        self.machine = Shadow(log, peer_timeout=flags.cluster_peer_timeout)
        self._recorded = recorded
        self._clock = clock
        self._log = Logger("tocsin.shadow", component="shadow")
        self._lines = LogBound(lines=LINES, total=4 * LINES)
        self._log.warn(IN_SHADOW)
        self._shell = MachineShell(self.machine, clock, self._perform)
        self._config: AlertmanagerConfig | None = None
        self._last_after = 0
        self.doubt = ""
        """A warning about its position among the members; empty if there is none."""

    def heard(self, entry: Entry, previous: Entry | None) -> None:
        """The others have sent something."""
        self.machine.heard(entry, previous, self._clock.now())
        self._shell.run()

    def decided(self, decided: Sequence[Decision | FlushFinished]) -> None:
        """Our own alert flow has decided something."""
        for entry in self.machine.decided(decided, self._clock.now()):
            self._recorded.stored(entry)
        self._shell.run()

    def follow(
        self, config: AlertmanagerConfig, record: Callable[[Sequence[Decision | FlushFinished]], None]
    ) -> Callable[[Sequence[Decision | FlushFinished]], None]:
        """``config`` is in force now. What takes in what is decided under it, and has it recorded, too."""
        changed = self._config is not None and self._config is not config
        self.machine.configured(config, changed=changed)
        self._config = config

        def decided(found: Sequence[Decision | FlushFinished]) -> None:
            record(found)
            self.decided(found)

        return decided

    def begin(self) -> None:
        """Notifications would go out from now on."""
        self.machine.begin(self._clock.now())

    def members(self, standing: Standing) -> Standing:
        """Take our standing in the cluster; returns the one for the alert flow, which in shadow announces
        nothing, and whose log has no entries of others."""
        position, _, others = standing
        self.machine.members(max(others, 0))
        after = others - position
        self.doubt = (
            f"in shadow, but {after} of the other members come after this node in the order of names, and"
            " wait --cluster.peer-timeout for it each time they notify: give it a --cluster.peer-name that"
            " comes last"
            if after > 0
            else ""
        )
        if after > self._last_after:
            self._log.warn(self.doubt)
        self._last_after = after
        self._shell.run()
        return position, frozenset(), 0

    def counts(self) -> Mapping[tuple[str, str], float]:
        """Notifications by result and receiver; 0 is shown too, for rules that use increase()."""
        receivers = self._config.receivers if self._config is not None else ()
        known = [(result, each.name) for each in receivers for result in get_args(Result)]
        return {**dict.fromkeys(known, 0), **self.machine.results.counts}

    def compared(self, integration: str, group_key: str, began: Nanoseconds) -> str:
        """What the others did where this node would have notified, as text."""
        found = self.machine.results.of(integration, group_key, began)
        if found is None:
            return (
                "the others have not notified it yet"
                if self.machine.awaits(integration, group_key, began)
                else ("what the others did is not known")
            )
        if found.result == "agreed":
            return f"the others sent it {clock(found.theirs or 0)}"
        return f"{found.result}: {found.why}" + "".join([f"; {each}" for each in found.alerts[:MAX_LOGGED]])

    def close(self) -> None:
        """Compare nothing any more."""
        self._shell.stop()

    def _perform(self, effects: Sequence[Judgement]) -> None:
        for each in effects:
            more = self._lines.admit(each.result, each.receiver)
            if more is None:  # They are counted, and listed in the report.
                continue
            self._log.warn(
                f"in shadow: {each.result}",
                integration=each.integration,
                group=each.group_key,
                why=each.why,
                alerts="; ".join(each.alerts[:MAX_LOGGED]),
                **more,
            )
