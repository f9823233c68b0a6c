"""Runs the daemon, from its flags to its end; :mod:`tocsin.cli.daemon` loads this."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from tocsin import ALERTMANAGER_VERSION, __version__
from tocsin.errors import ConfigError, TocsinError
from tocsin.node import garbage
from tocsin.node.config.arguments import parse_flags
from tocsin.node.config.commandline import HelpRequested, UsageError, declared_flags
from tocsin.node.config.flags import NodeFlags
from tocsin.node.gonames import goarch
from tocsin.node.log import Logger, set_up
from tocsin.node.looplag import measured_loop
from tocsin.node.service import ServiceManager

if TYPE_CHECKING:
    from tocsin.node.app import Node
    from tocsin.node.prepared import Prepared

SWITCH_INTERVAL = 0.001
"""Seconds for which a thread may go on while another waits for the interpreter. With Python's 5 ms that is
how long the event loop waits after each system call while the journal's thread is busy."""

VERSION = f"""\
alertmanager, version {ALERTMANAGER_VERSION} (branch: tocsin, revision: {__version__})
  build user:       tocsin
  build date:       n/a
  go version:       python{platform.python_version()}
  platform:         {sys.platform}/{goarch()}
  tags:             tocsin"""
"""The first line has Alertmanager's form, as programs parse it; the revision is Tocsin's own version."""


def run(argv: Sequence[str]) -> int:
    """As :func:`tocsin.cli.daemon.main`."""
    try:
        flags = parse_flags(argv, version=VERSION)
    except HelpRequested as text:
        return _show(text.text)
    except UsageError as error:
        print(f"tocsin: error: {error}, try --help", file=sys.stderr)
        return 1
    except TocsinError as error:
        print(f"tocsin: error: {error}", file=sys.stderr)
        return 1
    set_up(flags.log_level, flags.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL)
    # Not needed for --help; and they make many objects that the collector need not visit.
    from tocsin.node.app import start
    from tocsin.node.prepared import prepare

    garbage.keep_what_is_there()  # 80,000 objects of modules, of which next to none are garbage

    with asyncio.Runner(loop_factory=measured_loop) as runner:
        return runner.run(_run(prepare, start, flags))


def _show(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader is gone (`| head`); the interpreter must not flush again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _said(error: TocsinError, flags: NodeFlags) -> str:
    """The text of an error; one about a whole file gets the flag that names the file."""
    if isinstance(error, ConfigError):
        for name, (declared, _) in declared_flags(NodeFlags).items():
            if getattr(flags, declared.name) == error.location:
                return f"--{name}: {error}"
    return str(error)


async def _run(
    prepare: Callable[[NodeFlags], Prepared], start: Callable[[Prepared], Awaitable[Node]], flags: NodeFlags
) -> int:
    log = Logger("tocsin.daemon")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    hung_up = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)  # The start may have read the file already.
    try:
        prepared = prepare(flags)
        garbage.clean_up()  # now, as nobody waits for an answer yet
        node = await start(prepared)
    except TocsinError as error:
        log.error("cannot start", err=_said(error, flags))
        return 1
    manager = ServiceManager()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        reloads.add(task := loop.create_task(_reload(node, manager)))
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    garbage.keep_what_is_there()  # the state that was loaded too
    running = [loop.create_task(work) for work in (garbage.collect_forever(), manager.feed_watchdog())]
    manager.ready()
    if hung_up.is_set():
        reload()
    await stop.wait()
    manager.stopping()
    for task in running:
        task.cancel()
    log.info("stopping")
    await node.stop()
    return 0


async def _reload(node: Node, manager: ServiceManager) -> None:
    manager.reloading()
    try:
        await node.reload_on_signal()
    finally:
        manager.ready()
