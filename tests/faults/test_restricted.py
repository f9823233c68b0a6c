"""The node under the restrictions of its container: nobody, no capability, and its data alone to write to."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import Api, matcher
from tests.support.eventually import eventually
from tests.support.tocsin_node import TOCSIN

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")),
    reason="namespaces take root, unshare and setpriv",
)

NOBODY = 65534
CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
RESTRICT = """\
mount -o remount,bind,ro / &&
mount -t tmpfs -o mode=0750,uid=65534,gid=65534,noexec,nosuid,nodev tmpfs "$DATA" &&
exec "$PYTHON" -c "$DENY" setpriv --reuid 65534 --regid 65534 --clear-groups \\
  --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


DENY_WRITE_EXECUTE = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, as MemoryDenyWriteExecute=; from Linux 6.3 on
os.execvp(sys.argv[1], sys.argv[1:])
"""


def restricted(data: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", RESTRICT, "sh", *command],
        env={
            **os.environ,
            **TOCSIN.environment,
            "DATA": str(data),
            "DENY": DENY_WRITE_EXECUTE,
            "PYTHON": sys.executable,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def data() -> Iterator[Path]:
    """Where anybody comes: pytest's own folders are its user's alone."""
    with tempfile.TemporaryDirectory(prefix="restricted-") as folder:
        Path(folder).chmod(0o755)
        Path(folder, "data").mkdir()
        Path(folder, "alertmanager.yml").write_text(CONFIGURATION)
        yield Path(folder, "data")


def runs_as_nobody(data: Path) -> bool:
    """Whether that user reaches this Python at all: it may be in somebody's home."""
    process = restricted(data, sys.executable, "-c", "import tocsin.cli.running")
    process.communicate(timeout=60)
    return process.returncode == 0


def test_nothing_but_its_data_can_be_written(data: Path) -> None:
    process = restricted(data, "sh", "-c", f'! touch "{data.parent}/x" && touch "{data}/x" && id -u')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert output.splitlines()[-1] == str(NOBODY)


def test_the_node_serves_and_keeps_silences(data: Path) -> None:
    if not runs_as_nobody(data):
        pytest.skip("another user cannot run this Python")
    process = restricted(
        data,
        *(sys.executable, "-m", "tocsin.cli.daemon", f"--config.file={data.parent / 'alertmanager.yml'}"),
        *(f"--storage.path={data}", "--cluster.listen-address=", "--web.listen-address=127.0.0.1:0"),
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        (address,) = next(
            found for line in lines if (found := re.findall(r"Listening on.* address=(\S+)", line))
        )
        with contextlib.closing(Api(f"http://{address}")) as api:
            identifier = api.post_silence([matcher("alertname", "Restricted")])
            assert eventually(lambda: api.silence(identifier), "the silence is there")
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "level=ERROR" not in output
