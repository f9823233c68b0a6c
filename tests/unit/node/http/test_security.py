"""--web.config.file at work: TLS, client certificates, passwords, headers, rate limit, files that change."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.certificates import DAY, Certificate, CertificateAuthority
from tests.support.httpserver import QUICK, Client, serving, until
from tocsin.errors import ConfigError
from tocsin.node.api import create_app
from tocsin.node.config.webconfig import RateLimit
from tocsin.node.http.bounds import HTTPBounds, HTTPStatistics
from tocsin.node.http.gate import TokenBucket, WebGate
from tocsin.node.http.passwords import PasswordChecker, TooManyChecksError, parse_basic
from tocsin.node.http.security import WebSecurity
from tocsin.node.http.server import WebServer
from tocsin.tls.settings import ClientAuthType

AUTHORITY = CertificateAuthority()
FOREIGN = CertificateAuthority("another")
SERVER = "tls_server_config:\n  cert_file: node.crt\n  key_file: node.key\n"
VERIFYING = SERVER + "  client_ca_file: ca.crt\n  client_auth_type: "


def hash_of(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


HASH = hash_of(b"right")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    AUTHORITY.issue(name="first").write(tmp_path, "node")
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yml"
    path.write_text(text)
    return path


@asynccontextmanager
async def secured(security: WebSecurity) -> AsyncIterator[WebServer]:
    gate = WebGate(create_app(LoneNode()), lambda: security.state.config, HTTPStatistics())
    async with serving(gate, tls=security.context, check_client=security.check_client) as server:
        yield server
    gate.close()


def trust(certificate: Certificate | None = None, folder: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    if certificate is not None:
        assert folder is not None
        context.load_cert_chain(*certificate.write(folder / "client", "client"))
    return context


async def get(server: WebServer, context: ssl.SSLContext, path: str = "/-/healthy") -> httpx.Response:
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        host, port = server.addresses[0]
        return await http.get(f"https://{host}:{port}{path}")


def test_tls(folder: Path) -> None:
    async def story() -> None:
        async with secured(WebSecurity(write(folder, SERVER))) as server:
            assert (await get(server, trust())).text == "OK"
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await get(server, ssl.create_default_context(cadata=FOREIGN.certificate.decode()))

    asyncio.run(story())


def test_plain_http_to_the_tls_port_is_told_so(folder: Path) -> None:
    async def story() -> None:
        async with secured(WebSecurity(write(folder, SERVER))) as server:
            client = await Client.connect(server)
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
            assert answer.endswith(b"Client sent an HTTP request to an HTTPS server.\n")
            assert server.statistics.connections_closed["plain_http"] == 1

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["RequireAndVerifyClientCert", "VerifyClientCertIfGiven"])
def test_client_certificates(folder: Path, kind: str) -> None:
    cases = {
        "none": None,
        "good": AUTHORITY.issue(name="client"),
        "foreign": FOREIGN.issue(name="client"),
        "expired": AUTHORITY.issue(name="client", ends=-DAY),
    }

    async def story() -> None:
        async with secured(WebSecurity(write(folder, VERIFYING + kind + "\n"))) as server:
            outcomes = {}
            for name, certificate in cases.items():
                try:
                    outcomes[name] = (await get(server, trust(certificate, folder))).status_code
                except httpx.TransportError:
                    outcomes[name] = 0
            lenient = kind == "VerifyClientCertIfGiven"
            assert outcomes == {"none": 200 if lenient else 0, "good": 200, "foreign": 0, "expired": 0}
            refused = server.statistics.connections_closed["client_certificate"]
            assert refused == (2 if lenient else 3)

    asyncio.run(story())


def test_client_names(folder: Path) -> None:
    text = VERIFYING + "RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example]\n"

    async def story() -> None:
        async with secured(WebSecurity(write(folder, text))) as server:
            listed = AUTHORITY.issue("prometheus.example")
            assert (await get(server, trust(listed, folder))).text == "OK"
            with pytest.raises(httpx.TransportError):
                await get(server, trust(AUTHORITY.issue("other.example"), folder))
            assert server.statistics.connections_closed["client_certificate"] == 1

    asyncio.run(story())


def test_a_revoked_client_is_refused_and_the_list_is_looked_at(folder: Path) -> None:
    first, second = AUTHORITY.issue(name="first"), AUTHORITY.issue(name="second")
    (folder / "revoked.pem").write_bytes(AUTHORITY.revoke(first))
    text = VERIFYING + "RequireAndVerifyClientCert\n  client_crl_file: revoked.pem\n"

    async def story() -> None:
        security = WebSecurity(write(folder, text))
        async with secured(security) as server:
            with pytest.raises(httpx.TransportError):
                await get(server, trust(first, folder))
            assert (await get(server, trust(second, folder))).text == "OK"
            (folder / "revoked.pem").write_bytes(AUTHORITY.revoke(first, second))
            state = security.check_files()
            assert state is not None
            security.state = state
            with pytest.raises(httpx.TransportError):
                await get(server, trust(second, folder))
            assert server.statistics.connections_closed["client_certificate"] == 2

    asyncio.run(story())


def test_a_large_revocation_list_that_is_renewed_is_noticed(folder: Path) -> None:
    """Whatever is small enough to be used is compared."""
    first, second = AUTHORITY.issue(name="first"), AUTHORITY.issue(name="second")
    space = b"\n" * (17 << 20)
    (folder / "revoked.pem").write_bytes(AUTHORITY.revoke(first) + space)
    security = WebSecurity(
        write(folder, VERIFYING + "RequireAndVerifyClientCert\n  client_crl_file: revoked.pem\n")
    )
    assert security.check_files() is None
    (folder / "revoked.pem").write_bytes(AUTHORITY.revoke(first, second) + space)
    assert security.check_files() is not None


def test_a_revocation_list_of_another_authority_is_not_taken(folder: Path) -> None:
    (folder / "revoked.pem").write_bytes(FOREIGN.revoke(FOREIGN.issue()))
    text = VERIFYING + "RequireAndVerifyClientCert\n  client_crl_file: revoked.pem\n"
    with pytest.raises(ConfigError, match="is signed by none of the authorities"):
        WebSecurity(write(folder, text))


def test_half_open_handshakes_have_a_deadline(folder: Path) -> None:
    async def story() -> None:
        security = WebSecurity(write(folder, SERVER))
        async with serving(None, QUICK, tls=security.context) as server:
            silent = await Client.connect(server)
            half = await Client.connect(server)
            half.send(b"\x16\x03\x01\x02\x00\x01\x00")
            assert await silent.rest() == b""
            assert await half.rest() == b""
            await until(lambda: server.statistics.connections == 0)
            assert server.statistics.connections_closed["handshake"] == 2

    asyncio.run(story())


def hello() -> bytes:
    """The first record of a handshake, whole."""
    outgoing = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        trust().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x").do_handshake()
    return outgoing.read()


def test_a_crowd_of_handshakes_of_one_address_is_refused(folder: Path) -> None:
    async def story() -> None:
        security = WebSecurity(write(folder, SERVER))
        async with serving(
            None, HTTPBounds(handshakes=3, few=2, patience=3.0), tls=security.context
        ) as server:
            half = [await Client.connect(server, "127.0.0.2") for _ in range(5)]
            for client in half:
                client.send(hello())
            await until(lambda: server.statistics.connections_refused["handshakes"] == 2)
            assert (await get(server, trust())).text == "OK"
            for client in half:
                client.close()

    asyncio.run(story())


def test_a_first_record_in_pieces_is_waited_for(folder: Path) -> None:
    async def story() -> None:
        security = WebSecurity(write(folder, SERVER))
        async with serving(tls=security.context) as server:
            client = await Client.connect(server)
            record = hello()
            for piece in (record[:3], record[3:50], record[50:]):
                client.send(piece)
                await asyncio.sleep(0.02)
            assert (await client.reader.readexactly(3))[:2] == b"\x16\x03"
            client.close()

    asyncio.run(story())


def test_handshakes_under_way_have_a_bound_and_the_crowd_pays(folder: Path) -> None:
    async def story() -> None:
        security = WebSecurity(write(folder, SERVER))
        async with serving(None, HTTPBounds(handshakes=3), tls=security.context) as server:
            half = [await Client.connect(server, "127.0.0.2") for _ in range(5)]
            for client in half:
                client.send(hello())
            await until(lambda: server.statistics.connections_closed["evicted"] == 2)
            assert (await get(server, trust())).text == "OK"
            assert server.statistics.connections_closed["evicted"] == 3
            for client in half:
                client.close()

    asyncio.run(story())


def test_a_new_certificate_is_shown_to_new_connections(folder: Path) -> None:
    async def shown(server: WebServer) -> bytes:
        host, port = server.addresses[0]
        reader, writer = await asyncio.open_connection(host, port, ssl=trust())
        del reader
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return found

    async def story() -> None:
        security = WebSecurity(write(folder, SERVER))
        async with secured(security) as server:
            before = await shown(server)
            assert security.check_files() is None
            AUTHORITY.issue(name="second").write(folder, "node")
            state = security.check_files()
            assert state is not None
            security.state = state
            assert await shown(server) != before
            assert security.statistics.reloads == 1

    asyncio.run(story())


def test_the_files_are_looked_at_without_being_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.node.http.security.INTERVAL", 0.01)

    async def story() -> None:
        path = write(folder, f"basic_auth_users:\n  a: {HASH}\n")
        security = WebSecurity(path)
        watching = asyncio.create_task(security.watch())
        path.write_text(f"basic_auth_users:\n  b: {HASH}\n")
        await until(lambda: list(security.state.config.users) == ["b"])
        watching.cancel()

    asyncio.run(story())


@pytest.mark.parametrize(
    "change",
    ["tls_server_config: [", "basic_auth_users:\n  a: no\n", "", SERVER.replace("node.crt", "absent.crt")],
)
def test_a_change_that_cannot_be_used_leaves_the_old_in_force(
    folder: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(folder, SERVER)
    security = WebSecurity(path)
    path.write_text(change)
    assert security.check_files() is None
    assert "the old one stays in use" in caplog.text
    assert str(path) in caplog.text
    assert security.check_files() is None
    statistics = security.statistics
    assert (statistics.reload_failures, statistics.last_reload_successful) == (1, 0)
    path.write_text(SERVER + "  min_version: TLS13\n")
    assert security.check_files() is not None
    assert statistics.last_reload_successful == 1


def test_no_part_of_a_file_lets_in_who_may_not(folder: Path) -> None:
    """It is written piece by piece, or cut off as the disk is full."""
    users = f"basic_auth_users:\n  a: {HASH}\n"
    verifying = SERVER + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
    newest, rate = "  min_version: TLS13\n", "rate_limit:\n  burst: 7\n  interval: 10ms\n"
    for text in (users, verifying + users, users + verifying + newest, users + rate):
        path = write(folder, text)
        security = WebSecurity(path)
        for end in range(len(text)):
            path.write_text(text[:end])
            security.state = security.check_files() or security.state
            config = security.state.config
            assert config.users, text[:end]
            if "tls" in text:
                assert config.tls is not None
                assert config.tls.client_auth_type is ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT
                assert config.tls.client_ca_file is not None
            if newest in text:
                assert config.tls is not None
                assert config.tls.min_version == "TLS13"
            assert (config.rate_limit is not None) is (rate in text)


@pytest.mark.parametrize("weaker", ["", SERVER, "basic_auth_users:\n  a: HASH\n"])
def test_certificates_are_renewed_although_a_change_of_the_file_is_refused(
    folder: Path, weaker: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the certificate runs out weeks after somebody has taken out the revocation list on purpose."""
    strict = VERIFYING + "RequireAndVerifyClientCert\n  client_crl_file: revoked.pem\n"
    (folder / "revoked.pem").write_bytes(AUTHORITY.revoke())
    path = write(folder, strict)
    security = WebSecurity(path)
    first = security.state
    path.write_text(weaker.replace("HASH", HASH))
    assert security.check_files() is None
    assert "restart" in caplog.text
    renewed = AUTHORITY.issue(name="renewed")
    (folder / "node.crt").write_bytes(renewed.certificate)
    assert security.check_files() is None  # Its key is not there yet.
    renewed.write(folder, "node")
    second = security.check_files()
    assert second is not None
    assert second.context is not first.context
    security.state = second
    (folder / "revoked.pem").write_bytes(AUTHORITY.revoke(AUTHORITY.issue()))
    third = security.check_files()
    assert third is not None
    assert third.clients is not None
    assert third.clients.revocations
    assert third.config is first.config
    assert (security.statistics.reload_failures, security.statistics.last_reload_successful) == (4, 0)
    security.state = third
    assert security.check_files() is None
    path.write_text(strict)
    assert security.check_files() is not None
    assert security.statistics.last_reload_successful == 1


@pytest.mark.parametrize("bad", ["tls_server_config: [", "tls_server_config:\n  cert_file: node.crt\n", None])
def test_certificates_are_renewed_although_the_changed_file_cannot_be_read(
    folder: Path, bad: str | None
) -> None:
    path = write(folder, SERVER)
    security = WebSecurity(path)
    first = security.state
    if bad is None:
        path.unlink()
    else:
        path.write_text(bad)
    assert security.check_files() is None
    AUTHORITY.issue(name="renewed").write(folder, "node")
    second = security.check_files()
    assert second is not None
    assert second.context is not first.context
    assert second.config is first.config
    assert (security.statistics.reload_failures, security.statistics.last_reload_successful) == (2, 0)
    security.state = second
    assert security.check_files() is None
    path.write_text(SERVER)
    assert security.check_files() is not None
    assert security.statistics.last_reload_successful == 1


def test_a_file_that_is_put_right_is_seen_although_its_name_was_never_in_force(folder: Path) -> None:
    path = write(folder, SERVER)
    security = WebSecurity(path)
    path.write_text(SERVER.replace("node.", "new."))
    assert security.check_files() is None
    AUTHORITY.issue().write(folder, "new")
    assert security.check_files() is not None


def test_a_certificate_without_its_key_is_not_taken(folder: Path) -> None:
    security = WebSecurity(write(folder, SERVER))
    (folder / "node.crt").write_bytes(AUTHORITY.issue().certificate)
    assert security.check_files() is None
    assert security.statistics.reload_failures == 1


def test_a_failure_that_nobody_foresaw_does_not_end_the_watch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("error parsing asn1 value")

    path = write(folder, SERVER)
    security = WebSecurity(path)
    path.write_text(SERVER + "  min_version: TLS13\n")
    with monkeypatch.context() as patched:
        patched.setattr("tocsin.node.http.webtls.build_server_context", fail)
        assert security.check_files() is None
    assert security.statistics.reload_failures == 1


def test_a_bad_file_at_the_start_is_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.yml:1:1: unknown key"):
        WebSecurity(write(folder, "a: b\n"))


# -- passwords


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def asked(
    folder: Path, text: str, headers: list[dict[str, str]], path: str = "/metrics"
) -> list[httpx.Response]:
    async def story() -> list[httpx.Response]:
        security = WebSecurity(write(folder, text))
        gate = WebGate(create_app(LoneNode()), lambda: security.state.config, HTTPStatistics())
        transport = httpx.ASGITransport(gate)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            answers = [await http.get(path, headers=each) for each in headers]
        gate.close()
        return answers

    return asyncio.run(story())


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/api/v2/status", "/", "/nowhere"])
def test_every_path_is_behind_the_password(folder: Path, path: str) -> None:
    text = f"basic_auth_users:\n  alice: {HASH}\nhttp_server_config:\n  headers:\n    X-Frame-Options: deny\n"
    answers = asked(
        folder,
        text,
        [
            {},
            basic("alice", "wrong"),
            basic("bob", "right"),
            {"Authorization": "Bearer x"},
            basic("alice", "right"),
        ],
        path,
    )
    for answer in answers[:4]:
        assert (answer.status_code, answer.text) == (401, "Unauthorized\n")
        assert answer.headers["www-authenticate"] == "Basic"
    assert answers[4].status_code not in (401, 403)
    assert {answer.headers["x-frame-options"] for answer in answers} == {"deny"}


def test_the_rate_limit_answers_before_anything_else(folder: Path) -> None:
    text = f"rate_limit:\n  burst: 2\n  interval: 1h\nbasic_auth_users:\n  alice: {HASH}\n"
    answers = asked(folder, text, [{}, {}, {}, basic("alice", "right")])
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    assert answers[2].text == "Too Many Requests\n"


def test_a_token_comes_each_interval_up_to_the_burst() -> None:
    bucket = TokenBucket(RateLimit(2, 0.5), 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    assert [bucket.take(0.5), bucket.take(0.6), bucket.take(1.0)] == [True, False, True]
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"Basic YTpi", ("a", b"b")),
        (b"bAsIc YTpi", ("a", b"b")),
        (b"Basic YTpiOmM=", ("a", b"b:c")),
        (b"Basic OmI=", ("", b"b")),
        (b"Basic YQ==", None),
        (b"Basic !", None),
        (b"Basic YTpi\n", None),
        (b"Bearer YTpi", None),
        (b"", None),
        (b"Basic", None),
    ],
)
def test_the_header(header: bytes, found: tuple[str, bytes] | None) -> None:
    assert parse_basic(header) == found


def checking(story: object, **bounds: int) -> HTTPStatistics:
    statistics = HTTPStatistics()

    async def run() -> None:
        checker = PasswordChecker(statistics, **bounds)
        try:
            await story(checker)  # type: ignore[operator]
        finally:
            checker.close()

    asyncio.run(run())
    return statistics


def test_a_right_password_is_compared_once_and_kept_nowhere() -> None:
    async def story(checker: PasswordChecker) -> None:
        for _ in range(3):
            assert await checker.check({"a": HASH}, "a", b"right", "1")
        assert "right" not in repr((checker._right, checker._under_way))

    counts = checking(story).password_checks
    assert (counts["right"], counts["remembered"]) == (1, 2)


def test_a_changed_hash_is_asked_anew() -> None:
    async def story(checker: PasswordChecker) -> None:
        assert await checker.check({"a": HASH}, "a", b"right", "1")
        assert not await checker.check({"a": hash_of(b"new")}, "a", b"right", "1")
        assert not await checker.check({}, "a", b"right", "1")

    checking(story)


def test_what_is_remembered_is_bounded() -> None:
    async def story(checker: PasswordChecker) -> None:
        users = dict.fromkeys("abc", HASH)
        for name in users:
            await checker.check(users, name, b"right", "1")
        assert len(checker._right) == 2

    checking(story, remembered=2)


def test_wrong_passwords_wait_in_a_short_line_and_a_remembered_one_does_not_wait() -> None:
    slow = bcrypt.hashpw(b"right", bcrypt.gensalt(9)).decode()

    async def story(checker: PasswordChecker) -> None:
        users = {"a": slow}
        assert await checker.check(users, "a", b"right", "flood")
        flood = [
            asyncio.create_task(checker.check(users, "a", b"wrong %d" % number, "flood"))
            for number in range(50)
        ]
        await asyncio.sleep(0)
        assert await checker.check(users, "a", b"right", "flood")
        assert not any(task.done() and task.exception() is None for task in flood)
        other = await checker.check(users, "a", b"wrong", "elsewhere")
        assert not other
        outcomes = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(each, TooManyChecksError) for each in outcomes) == 46
        assert outcomes.count(False) == 4

    statistics = checking(story)
    assert statistics.password_checks["too_many"] == 46
    assert statistics.password_checks_waiting == 0


def test_the_line_is_bounded_over_all_addresses() -> None:
    async def story(checker: PasswordChecker) -> None:
        users = {"a": HASH}
        flood = [checker.check(users, "a", b"%d" % number, str(number)) for number in range(20)]
        outcomes = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(each, TooManyChecksError) for each in outcomes) == 15

    checking(story, waiting=5)


def test_the_same_question_is_asked_once() -> None:
    async def story(checker: PasswordChecker) -> None:
        asked = [checker.check({"a": HASH}, "a", b"right", "1") for _ in range(20)]
        assert await asyncio.gather(*asked) == [True] * 20

    checking(story)


def test_an_unknown_user_costs_a_comparison_of_the_highest_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = bcrypt.checkpw

    def noted(password: bytes, hashed: bytes) -> bool:
        compared.append(hashed)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", noted)

    async def story(checker: PasswordChecker) -> None:
        users = {"a": HASH, "b": bcrypt.hashpw(b"x", bcrypt.gensalt(6)).decode()}
        assert not await checker.check(users, "nobody", b"right", "1")

    checking(story)
    assert [each[:7] for each in compared] == [b"$2b$06$"]


def test_a_refusal_costs_the_same_whoever_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash of half the cost would tell by the time it takes that its user exists."""
    compared: list[int] = []
    real = bcrypt.checkpw

    def noted(password: bytes, hashed: bytes) -> bool:
        compared.append(int(hashed.split(b"$")[2]))
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", noted)

    async def story(checker: PasswordChecker) -> None:
        users = {"a": HASH, "b": bcrypt.hashpw(b"x", bcrypt.gensalt(7)).decode()}
        for name in ("a", "b", "nobody"):
            compared.clear()
            assert not await checker.check(users, name, b"wrong", "1")
            assert sum(2**cost for cost in compared) == 2**7

    checking(story)


def test_a_long_password_is_cut_as_go_cuts_it() -> None:
    async def story(checker: PasswordChecker) -> None:
        users = {"a": hash_of(b"x" * 72)}
        assert await checker.check(users, "a", b"x" * 80, "1")
        assert not await checker.check(users, "a", b"x" * 71, "1")
        assert not await checker.check(users, "a", b"x\0y", "1")

    checking(story)
