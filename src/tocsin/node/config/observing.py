"""``tracing`` and ``event_recorder``. Outputs that are not supported are still read and checked, so that one
file can be used by Alertmanager and Tocsin."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tocsin.config.httpclient import HTTPClientConfig, HTTPHeader, TLSClientConfig, read_headers
from tocsin.config.readers import file_path, list_of, text, unserved
from tocsin.config.scalars import boolean, duration, secret_url, show_duration
from tocsin.config.schema import Section, option
from tocsin.config.texts import SECRET_TEXT, Secret
from tocsin.config.values import number
from tocsin.config.yaml import Node, Reader


def _one_of(known: Collection[str]) -> Reader[str]:
    def read(node: Node) -> str:
        written = text(node)
        if written not in known:
            raise node.mark.error(f"unknown value {written!r}", f"use one of {', '.join(known)}")
        return written

    return read


def _whole(node: Node) -> int:
    found = number(node)
    if int(found) != found:
        raise node.mark.error("expected a whole number")
    return int(found)


class TracingConfig(Section):
    """``tracing``: where spans are exported by OTLP."""

    client_type: str = option(_one_of(("http", "grpc")), default="grpc", null="")
    endpoint: str = option(text, default="")
    sampling_fraction: float = option(number, default=0.0)
    insecure: bool = option(boolean, default=False)
    tls_config: TLSClientConfig | None = option(TLSClientConfig.read, default=None)
    headers: dict[str, HTTPHeader] | None = option(read_headers, default=None)
    compression: str = option(_one_of(("", "gzip")), default="")
    timeout: int = option(duration, default=0, show=show_duration)

    def check(self) -> None:
        """The destination is given."""
        if not self.endpoint:
            raise self.mark.error("tracing endpoint must be set", "add endpoint:")
        if not self.client_type:
            raise self.at("client_type").error("unknown tracing client type: ", "use one of http, grpc")
        if any(
            header.files and not (header.values or header.secrets) for header in (self.headers or {}).values()
        ):
            raise self.at("headers").error(
                "header files are not supported for tracing configuration", "use values: or secrets:"
            )


class FileOutputConfig(Section):
    """One of ``file_outputs``."""

    path: str = option(file_path, default="", always=True)

    def check(self) -> None:
        """The destination is given."""
        if not self.path:
            raise self.mark.error("event_recorder file output requires a path", "add path:")


class WebhookOutputConfig(Section):
    """One of ``webhook_outputs``. 0 means the default."""

    url: Secret = option(secret_url, default=Secret(""), always=True)
    http_config: HTTPClientConfig | None = option(HTTPClientConfig.read, default=None)
    timeout: int = option(duration, default=0, show=show_duration)
    workers: int = option(_whole, default=0)
    max_retries: int = option(_whole, default=0)
    retry_backoff: int = option(duration, default=0, show=show_duration)
    batch: bool = option(boolean, default=False)
    batch_max_events: int = option(_whole, default=0)
    batch_max_bytes: int = option(_whole, default=0)
    batch_flush_interval: int = option(duration, default=0, show=show_duration)

    def check(self) -> None:
        """A URL is given; batch settings come with ``batch: true``."""
        if not self.url:
            raise self.mark.error("event_recorder webhook output requires a url", "add url:")
        if self.url == SECRET_TEXT:
            raise self.at("url").error("event_recorder webhook output requires an absolute http(s) url")
        for name in ("batch_max_events", "batch_max_bytes", "batch_flush_interval"):
            if self[name] < 0:
                raise self.at(name).error("event_recorder webhook batch settings cannot be negative")
            if self[name] and not self.batch:
                raise self.at(name).error(
                    "event_recorder webhook batch settings require batch: true", "add batch: true"
                )


class KafkaOutputConfig(Section):
    """One of ``kafka_outputs``."""

    brokers: tuple[str, ...] = option(list_of(text), default=(), always=True)
    topic: str = option(text, default="", always=True)
    client_id: str = option(text, default="alertmanager")
    format: str = option(_one_of(("json", "protobuf")), default="json")
    acks: str = option(_one_of(("none", "leader", "all")), default="leader")
    compression: str = option(_one_of(("none", "gzip", "snappy", "lz4", "zstd")), default="")
    buffer_size: int = option(_whole, default=10_000)
    tls_config: TLSClientConfig | None = option(TLSClientConfig.read, default=None)

    def check(self) -> None:
        """The destination is given."""
        for name in ("brokers", "topic"):
            if not self[name]:
                raise self.mark.error(f"event_recorder kafka output requires {name}", f"add {name}:")


_NO_KAFKA: Final[tuple[KafkaOutputConfig, ...]] = ()


class StdoutOutputConfig(Section):
    """One of ``stdout_outputs``; it has no keys."""


class EventRecorderConfig(Section):
    """``event_recorder``."""

    file_outputs: tuple[FileOutputConfig, ...] = option(list_of(FileOutputConfig.read), default=())
    webhook_outputs: tuple[WebhookOutputConfig, ...] = option(list_of(WebhookOutputConfig.read), default=())
    kafka_outputs: tuple[KafkaOutputConfig, ...] = option(
        unserved(
            "kafka_outputs of event_recorder is not supported by this version",
            "use webhook_outputs: with a receiver that writes to Kafka",
            list_of(KafkaOutputConfig.read),
            _NO_KAFKA,
        ),
        default=(),
    )
    stdout_outputs: tuple[StdoutOutputConfig, ...] = option(list_of(StdoutOutputConfig.read), default=())
