"""The state of a storage folder as Alertmanager's snapshot files, whether its node runs or not.

Only reads the folder, so it is safe beside a running node.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import field
from pathlib import Path
from typing import Any

from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError, StateError, StorageError
from tocsin.node.store import snapshot
from tocsin.node.store.database import FAILURES, FORMAT, open_reading, read_slices
from tocsin.node.store.kinds import KINDS
from tocsin.node.store.loading import load_row
from tocsin.node.store.store import JOURNAL


@dataclass(slots=True)
class Exported:
    """What was written: entries by file, and what could not be read."""

    entries: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def export(source: Path, target: Path, now: Nanoseconds) -> Exported:
    """Write ``target/silences`` and ``target/nflog`` with all that ``source`` holds.

    :class:`ConfigError` when ``source`` holds nothing or ``target`` cannot be written to.
    """
    exported = Exported()
    states = read(source, now, exported)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for kind, state in states.items():
            name = snapshot.FILES[kind]
            snapshot.write(target / name, state.encode_slices())
            exported.entries[name] = len(state)
    except OSError as error:
        raise ConfigError(str(target), f"cannot be written: {error.strerror or error}") from None
    return exported


def read(source: Path, now: Nanoseconds, exported: Exported) -> dict[str, ReplicatedState[Any]]:
    """All that the journal and the snapshot files of ``source`` hold, merged."""
    journal = source / JOURNAL
    files = {kind: source / name for kind, name in snapshot.FILES.items()}
    if not any(path.exists() for path in (journal, *files.values())):
        raise ConfigError(str(source), "holds no state", "give the --storage.path of a node")
    states: dict[str, ReplicatedState[Any]] = {key: kind.empty() for key, kind in KINDS.items()}
    if journal.exists():
        _read_journal(journal, states, now, exported)
    for kind, path in files.items():
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None
        loaded = snapshot.Loaded()
        for _ in snapshot.load(states[kind], data, now, loaded):
            pass
        if loaded.damage:
            exported.problems.append(f"{path} is damaged: {loaded.damage}")
    return states


def _read_journal(
    path: Path, states: dict[str, ReplicatedState[Any]], now: Nanoseconds, exported: Exported
) -> None:
    try:
        with closing(open_reading(path)) as connection:
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if not 1 <= found <= FORMAT:
                raise ConfigError(str(path), f"has format {found}, this version knows {FORMAT}")
            for rows in read_slices(connection):
                for row in rows:
                    try:
                        load_row(states[row.kind], row, now)
                    except (KeyError, StateError, ValueError) as error:
                        exported.problems.append(f"{path}: an entry does not decode: {error}")
    except (*FAILURES, StorageError) as error:
        exported.problems.append(f"{path} cannot be read to its end: {error}; start the node to repair it")
