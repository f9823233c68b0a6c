"""A real Prometheus: with one rule that fires at once, or with rules of one's own over what it scrapes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    """Sends its alerts to every address of ``alertmanagers`` (``host:port``); ``client``: more lines.

    ``scraped``: addresses to scrape as the job ``alertmanager``, each ``interval``.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        alertmanagers: list[str],
        *,
        client: str = "",
        rules: str = RULES,
        scraped: Sequence[str] = (),
        interval: str = "1s",
    ) -> None:
        self.binary = binary
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "rules.yml").write_text(rules)
        targets = "".join(f"            - {address}\n" for address in alertmanagers)
        text = (
            f"global: {{evaluation_interval: {interval}, scrape_interval: {interval}, "
            f"scrape_timeout: {interval}}}\nrule_files: [rules.yml]\n"
        )
        if targets:
            text += (
                "alerting:\n  alertmanagers:\n    - static_configs:\n        - targets:\n" + targets + client
            )
        if scraped:
            static = f"[{{targets: [{', '.join(map(repr, scraped))}]}}]"
            text += f"scrape_configs:\n  - job_name: alertmanager\n    static_configs: {static}\n"
        (folder / "prometheus.yml").write_text(text)

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

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        answer = httpx.get(f"{self.url}/api/v1/alerts", trust_env=False).json()
        return {one["labels"]["alertname"] for one in answer["data"]["alerts"] if one["state"] == "firing"}

    def value(self, query: str) -> list[dict[str, Any]]:
        """What an instant query gives."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, trust_env=False).json()
        return list(answer["data"]["result"])

    def __exit__(self, *exc: object) -> None:
        self.process.terminate()
        self.process.forget()
