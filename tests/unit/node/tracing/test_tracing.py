"""``tracing``: what a collector gets, over HTTP and gRPC, and what a node does that has none."""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import Server, served
from tests.support.processes import free_port
from tests.support.transports import eventually
from tocsin.alerting.steps import finish
from tocsin.errors import ConfigError
from tocsin.node import prepared
from tocsin.node.app import Node, start
from tocsin.node.config.alertmanager import parse_config
from tocsin.node.config.arguments import parse_flags
from tocsin.node.log import LogfmtFormatter, Logger
from tocsin.node.tracing import export, spans
from tocsin.node.tracing.export import Outgoing
from tocsin.node.tracing.spans import Spans
from tocsin.node.tracing.tracing import Statistics

CONFIG = """
route: {{receiver: sink, group_by: [alertname], group_wait: 10ms, group_interval: 1h}}
receivers: [{{name: sink, webhook_configs: [{{url: "{url}/hook?token=secret"}}]}}]
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
LOG = Logger("tests.tracing")


class Span:
    """One that a collector got, and from which node."""

    def __init__(self, instance: str, raw: Any) -> None:
        self.instance = instance
        self.name = raw.name
        self.trace = raw.trace_id.hex()
        self.id = raw.span_id.hex()
        self.parent = raw.parent_span_id.hex()
        self.attributes = {each.key: each.value for each in raw.attributes}
        self.events = [each.name for each in raw.events]
        self.links = [each.span_id.hex() for each in raw.links]
        self.failed = raw.status.code == 2


def spans_of(requests: Sequence[bytes]) -> list[Span]:
    """What is in the bodies of requests to a collector."""
    found = []
    for body in requests:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert told["service.name"] == "alertmanager"
            instance = told["service.instance.id"]
            found += [Span(instance, span) for scope in resource.scope_spans for span in scope.spans]
    return found


def collected(collector: Server) -> list[Span]:
    """What an OTLP server over HTTP got."""
    for request in collector.requests:
        assert request.line.startswith("POST /v1/traces ")
        assert request.headers["content-type"] == "application/x-protobuf"
    return spans_of(
        [
            gzip.decompress(each.body) if each.headers.get("content-encoding") == "gzip" else each.body
            for each in collector.requests
        ]
    )


def written(folder: Path, config: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "alertmanager.yml"
    file.write_text(config)
    return file


@asynccontextmanager
async def node_with(folder: Path, config: str) -> AsyncIterator[tuple[Node, str]]:
    """A node that is alone, and its URL."""
    file = written(folder, config)
    address = f"127.0.0.1:{free_port()}"
    node = await start(
        prepared.prepare(
            parse_flags(
                [
                    f"--config.file={file}",
                    f"--storage.path={folder / 'data'}",
                    "--cluster.listen-address=",
                    f"--web.listen-address={address}",
                    f"--web.external-url=http://{address}",
                ]
            )
        )
    )
    try:
        yield node, f"http://{address}"
    finally:
        await node.stop()


async def post(url: str, *names: str, **headers: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        body = [{"labels": {"alertname": name}} for name in names]
        answer = await client.post(f"{url}/api/v2/alerts", json=body, headers=headers)
        assert answer.status_code == 200


def one(found: list[Span], name: str, instance: str) -> Span:
    (span,) = [each for each in found if each.name == name and instance.endswith(each.instance)]
    return span


def test_a_trace_goes_from_a_post_to_two_nodes_to_what_their_receivers_get(tmp_path: Path) -> None:
    async def main() -> None:
        async with served() as sink, served() as collector:
            tracing = f"tracing: {{endpoint: '127.0.0.1:{collector.port}', client_type: http, "
            tracing += "insecure: true, compression: gzip, headers: {X-Tenant: {values: [ops]}}}\n"
            config = CONFIG.format(url=sink.url) + tracing
            async with (
                node_with(tmp_path / "a", config) as (_, first),
                node_with(tmp_path / "b", config) as (_, second),
            ):
                for url in (first, second):
                    await post(url, "A", traceparent=TRACEPARENT)
                await eventually(lambda: len(sink.requests) == 2)
            # Sampling 0 keeps what somebody else has sampled, and nothing else.
            found = collected(collector)
            assert {span.trace for span in found} == {TRACE}
            assert collector.requests[0].headers["x-tenant"] == "ops"
            for url in (first, second):
                request = one(found, "POST /api/v2/alerts", url)
                flush = one(found, "dispatch.AggregationGroup.flush", url)
                attempt = one(found, "notify.Integration.Notify", url)
                sent = one(found, "HTTP POST", url)
                assert request.parent == "b7ad6b7169203331"
                assert [flush.parent, attempt.parent, sent.parent] == [request.id, flush.id, attempt.id]
                assert "alerting.Sent" in flush.events
                assert sent.attributes["http.response.status_code"].int_value == 200
                assert f"00-{TRACE}-{sent.id}-01" in {each.headers["traceparent"] for each in sink.requests}
            assert b"token" not in b"".join(each.body for each in collector.requests)

    asyncio.run(main())


@contextmanager
def grpc_collector() -> Iterator[tuple[int, list[bytes]]]:
    """An OTLP server over gRPC: its port, and the bodies that it gets."""
    got: list[bytes] = []

    class Collector(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> ExportTraceServiceResponse:  # noqa: N802
            assert ("x-tenant", "ops") in context.invocation_metadata()
            got.append(request.SerializeToString())
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add(Collector(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, got
    finally:
        server.stop(None).wait()


def test_a_failed_notification_is_seen_by_a_grpc_collector_until_a_reload_without_the_section(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with served(hook=b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n") as sink:
            with grpc_collector() as (port, got):
                tracing = f"tracing: {{endpoint: '127.0.0.1:{port}', insecure: true, compression: gzip, "
                tracing += "sampling_fraction: 1, headers: {X-Tenant: {secrets: [ops]}}}\n"
                async with node_with(tmp_path / "a", CONFIG.format(url=sink.url) + tracing) as (node, url):
                    await post(url, "A")
                    await eventually(lambda: sink.requests)
                    written(tmp_path / "a", CONFIG.format(url=sink.url))
                    await node.reload()  # What waits is sent all the same.
                    await eventually(
                        lambda: "notify.Integration.Notify" in {span.name for span in spans_of(got)}
                    )
                    await post(url, "B")
                    await eventually(lambda: any(b'"B"' in each.body for each in sink.requests))
                    assert b"tocsin_tracing_spans_exported_total" in finish(node.metrics(""))[0]
            found = spans_of(got)
            assert one(found, "notify.Integration.Notify", url).failed
            assert one(found, "HTTP POST", url).failed
            assert one(found, "POST /api/v2/alerts", url).parent == ""
            assert "traceparent" in sink.requests[0].headers
            assert not any("traceparent" in each.headers for each in sink.requests if b'"B"' in each.body)

    asyncio.run(main())


def test_a_collector_over_tls_is_verified_as_the_section_says(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("collector.example").write(tmp_path, "server"))

    async def taken(tls: str) -> bool:
        async with served(context) as collector:
            text = f"tracing: {{endpoint: '127.0.0.1:{collector.port}', client_type: http, timeout: 1s, "
            text += f"{tls}}}\n"
            config = parse_config(CONFIG.format(url="http://h") + text, path="am.yml").tracing
            assert config is not None
            statistics = Statistics()
            made = Spans(config, instance="here", statistics=statistics, log=LOG)
            made.start()
            scope = {"method": "GET", "path": "/", "headers": [(b"traceparent", TRACEPARENT.encode())]}
            with made.request(scope) as answered:
                answered(200)
            await made.close(30.0)
            return bool(statistics.spans_exported)

    async def main() -> None:
        ca = f"ca_file: '{tmp_path}/ca.pem'"
        assert await taken(f"tls_config: {{{ca}, server_name: collector.example}}")
        assert await taken("tls_config: {insecure_skip_verify: true}")
        assert not await taken(f"tls_config: {{{ca}, server_name: other.example}}")
        assert not await taken("tls_config: {server_name: collector.example}")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("tls_config: {insecure_skip_verify: true}", "is not supported with client_type: grpc"),
        ("tls_config: {ca_file: /missing}", "/missing: No such file"),
        ("client_type: http, tls_config: {ca_file: /missing}", "/missing: cannot be used for TLS"),
    ],
)
def test_what_cannot_be_had_is_refused(section: str, problem: str) -> None:
    text = CONFIG.format(url="http://h") + f"tracing: {{endpoint: 'h:1', {section}}}\n"
    config = parse_config(text, path="am.yml").tracing
    assert config is not None
    with pytest.raises(ConfigError, match=problem):
        Spans(config, instance="", statistics=Statistics(), log=LOG)


def test_without_the_extra_the_section_is_refused_or_taken_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "tocsin.node.tracing.spans", None)
    file = tmp_path / "alertmanager.yml"
    file.write_text(CONFIG.format(url="http://h") + "tracing: {endpoint: 'h:1'}\n")
    line = [f"--config.file={file}", f"--storage.path={tmp_path}", "--cluster.listen-address="]
    with pytest.raises(ConfigError, match=r"alertmanager\.yml:4:.*needs the extra 'tracing'.*pip install"):
        prepared.prepare(parse_flags(line))
    prepared.prepare(parse_flags([*line, "--config.accept-unserved"]))
    assert "without effect" in caplog.text


class Exporter(SpanExporter):
    """Takes spans, or not."""

    def __init__(self) -> None:
        self.works = False
        self.got: list[int] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.got.append(len(spans))
        return SpanExportResult.SUCCESS if self.works else SpanExportResult.FAILURE


def ended() -> ReadableSpan:
    return ReadableSpan("x", SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))


def test_what_waits_is_bounded_and_a_collector_that_fails_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(export, "MAX_WAITING", 5)
    monkeypatch.setattr(export, "BATCH", 2)
    statistics, exporter = Statistics(), Exporter()

    async def main() -> None:
        outgoing = Outgoing(exporter, statistics, LOG)
        for _ in range(7):
            outgoing.on_end(ended())
        assert statistics.spans_dropped == 2
        outgoing.start()
        await eventually(lambda: statistics.spans_failed == 5)
        assert exporter.got == [2, 2, 1]
        exporter.works = True
        outgoing.on_end(ended())
        await outgoing.close(30.0)

    caplog.set_level("INFO")
    asyncio.run(main())
    assert statistics.spans_exported == 1
    assert caplog.text.count("spans cannot be exported") == 1
    assert caplog.text.count("spans are exported again") == 1


def test_a_tracestate_is_remembered_as_it_came() -> None:
    """Of 10,000 alerts: 32 members that were read take nine kilobytes."""
    for members in (0, 1, 32):
        text = ",".join([f"k{number:02d}=v" for number in range(members)])
        state = TraceState.from_header([text]) if text else None
        context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1), trace_state=state)
        kept = spans.Report.of(context, 0.0)
        assert kept.state == text
        assert kept.context == context


def test_a_request_says_nothing_in_the_log_of_why_spans_cannot_be_exported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    statistics = Statistics()

    class Failing(Exporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            logging.getLogger("opentelemetry.exporter.otlp").error("no collector")
            TraceState.from_header(["forged by a request="])
            return super().export(spans)

    async def main() -> None:
        outgoing = Outgoing(Failing(), statistics, LOG)
        outgoing.start()
        outgoing.on_end(ended())
        await outgoing.close(30.0)

    asyncio.run(main())
    assert statistics.spans_failed == 1
    (line,) = [LogfmtFormatter().format(each) for each in caplog.records if each.name == "tests.tracing"]
    assert 'err="no collector"' in line


def test_flushes_and_reports_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spans, "MAX_REPORTS", 2)
    monkeypatch.setattr(spans, "MAX_FLUSHES", 2)

    async def main() -> None:
        async with (
            served(hook=b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as sink,
            served() as collector,
        ):
            config = CONFIG.format(url=sink.url) + (
                f"tracing: {{endpoint: '127.0.0.1:{collector.port}', client_type: http, insecure: true}}\n"
            )
            async with node_with(tmp_path, config) as (node, url):
                await post(url, "A", "B", "C", "D", traceparent=TRACEPARENT)
                told = "tocsin_tracing_reports_forgotten_total 2\n", "tocsin_tracing_flushes_forgotten_total"
                await eventually(lambda: told[0] in finish(node.metrics(""))[0].decode())
                await eventually(lambda: f"{told[1]} 0\n" not in finish(node.metrics(""))[0].decode())

    asyncio.run(main())


def test_what_a_client_puts_into_a_trace_is_bounded(tmp_path: Path) -> None:
    """What comes with alerts goes to receivers, of which many refuse requests with headers of 8 KB."""
    long = ",".join([f"k{number}={'v' * 250}" for number in range(32)])

    async def main() -> None:
        async with served() as sink, served() as collector:
            config = CONFIG.format(url=sink.url) + (
                f"tracing: {{endpoint: '127.0.0.1:{collector.port}', client_type: http, insecure: true}}\n"
            )
            async with node_with(tmp_path, config) as (_, url):
                async with httpx.AsyncClient(trust_env=False) as client:
                    await client.get(f"{url}/{'a' * 20_000}", headers={"traceparent": TRACEPARENT})
                await post(url, "A", traceparent=TRACEPARENT, tracestate="vendor=value")
                await eventually(lambda: len(sink.requests) == 1)
                await post(url, "B", traceparent=TRACEPARENT, tracestate=long)
                await eventually(lambda: len(sink.requests) == 2)
            short, cut = (each.headers for each in sink.requests)
            assert short["tracestate"] == "vendor=value"
            assert "tracestate" not in cut
            assert TRACE in cut["traceparent"]
            assert max(len(span.name) for span in collected(collector)) < 300

    asyncio.run(main())


def test_a_fault_of_tracing_costs_spans_and_no_notification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Spans, "_of", broken)
    monkeypatch.setattr(Spans, "reported", broken)
    monkeypatch.setattr(Spans, "request", broken)

    async def main() -> None:
        async with served() as sink:
            config = CONFIG.format(url=sink.url) + "tracing: {endpoint: '127.0.0.1:1', client_type: http}\n"
            async with node_with(tmp_path, config) as (node, url):
                await post(url, "A")
                await eventually(lambda: len(sink.requests) == 1)
                await eventually(lambda: len(node.state.log) == 1)
                async with httpx.AsyncClient(trust_env=False) as client:
                    counted = (await client.get(f"{url}/metrics")).text
                assert "tocsin_tracing_faults_total" in counted
                assert "tocsin_tracing_faults_total 0" not in counted

    asyncio.run(main())
    assert caplog.text.count("spans cannot be made") == 1
