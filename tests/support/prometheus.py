"""A real Prometheus with one rule that fires at once."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.processes import Process, free_port, start_until_up

RULES = """\
groups:
  - name: test
    interval: 1s
    rules:
      - alert: AlwaysFiring
        expr: vector(1)
        labels:
          severity: page
        annotations:
          summary: "fires with {{ $value }}"
"""


class Prometheus:
    """Sends its alerts to every address of ``alertmanagers`` (``host:port``); ``client``: more lines."""

    def __init__(self, binary: Path, folder: Path, alertmanagers: list[str], *, client: str = "") -> None:
        self.binary = binary
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "rules.yml").write_text(RULES)
        targets = "".join(f"            - {address}\n" for address in alertmanagers)
        (folder / "prometheus.yml").write_text(
            "global:\n  evaluation_interval: 1s\nrule_files: [rules.yml]\n"
            "alerting:\n  alertmanagers:\n    - static_configs:\n        - targets:\n" + targets + client
        )

    def __enter__(self) -> Prometheus:
        def make() -> Process:
            self.url = f"http://127.0.0.1:{(port := free_port())}"
            return Process(
                "prometheus",
                [
                    self.binary,
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    f"--web.external-url={self.url}",
                    # Its list of receivers comes up a little after its rules: what it lost, it sends again.
                    "--rules.alert.resend-delay=1s",
                ],
                log=self.folder / "log",
            )

        self.process = start_until_up(
            make, lambda: httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == 200
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.terminate()
        self.process.forget()
