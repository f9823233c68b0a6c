"""SNS: signed as AWS asks for, tried again at once where AWS's own client does, and no key in any error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote_to_bytes

import pytest

from tests.support.receiverserver import GROUP_HASH, Answer, Received, section, tell
from tocsin.errors import ConfigError
from tocsin.notify.integrations import aws, sns
from tocsin.notify.integrations.aws import MAX_TRIES, read_profile
from tocsin.notify.integrations.sigv4 import Credentials, sign
from tocsin.notify.integrations.sns import MAX_PHONE_BYTES

SECRET = "made/up/secret"
KEYS = f"sigv4: {{region: eu-central-1, access_key: AKIDEXAMPLE, secret_key: {SECRET}}}"
ITEM = f"api_url: 'http://@HTTP@', {KEYS}, message: m, subject: s"
OK = Answer(
    200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
)


def failed(status: int, code: str = "MadeUp") -> Answer:
    error = f"<Error><Code>{code}</Code><Message>no &amp; {SECRET}</Message></Error>"
    return Answer(status, f"<ErrorResponse>{error}</ErrorResponse>".encode())


def form(request: Received) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keys of this machine, and no pauses."""
    monkeypatch.setattr(
        sns, "environment", lambda: {"AWS_CONFIG_FILE": "/-", "AWS_SHARED_CREDENTIALS_FILE": "/-"}
    )
    monkeypatch.setattr(aws, "LONGEST_PAUSE", 0.0)


# AWS's published test suite (aws-sig-v4-test-suite), with its credentials.
PUBLISHED = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("method", "body", "headers", "names", "signature"),
    [
        (
            "GET",
            b"",
            [],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "POST",
            b"",
            [],
            "",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "POST",
            b"Param1=value1",
            [FORM],
            "content-type;",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
    ids=["get-vanilla", "post-vanilla", "post-x-www-form-urlencoded"],
)
def test_signatures_that_aws_published(
    method: str, body: bytes, headers: list[tuple[str, str]], names: str, signature: str
) -> None:
    sent = sign(
        method,
        "https://example.amazonaws.com/",
        body,
        headers=headers,
        credentials=PUBLISHED,
        region="us-east-1",
        service="service",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert dict(sent)["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
        f" SignedHeaders={names}host;x-amz-date, Signature={signature}"
    )


def test_the_token_of_a_session_is_signed_too_and_shown_nowhere() -> None:
    borrowed = Credentials("A", "key-secret", "token-secret")
    assert "secret" not in repr(borrowed)
    sent = dict(
        sign(
            "POST",
            "http://h/",
            b"",
            headers=[],
            credentials=borrowed,
            region="r",
            service="s",
            now=datetime.now(UTC),
        )
    )
    assert sent["X-Amz-Security-Token"] == "token-secret"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in sent["Authorization"]


def test_a_message_to_a_topic(tmp_path: Path) -> None:
    item = f"{ITEM}, topic_arn: 'arn:%', attributes: {{z: 'z %', '%': ä}}".replace("%", "{{ .Status }}")
    [good], [request] = tell(tmp_path, "sns", item, answers=[OK])
    assert good.success
    assert form(request) == {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": "arn:firing",
        "Message": "m",
        "Subject": "s",
        "MessageAttributes.entry.1.Name": "firing",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "ä",
        "MessageAttributes.entry.2.Name": "z",
        "MessageAttributes.entry.2.Value.DataType": "String",
        "MessageAttributes.entry.2.Value.StringValue": "z firing",
    }
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")


def test_a_topic_that_keeps_order_knows_groups_and_repetitions(tmp_path: Path) -> None:
    _, [request] = tell(tmp_path, "sns", f"{ITEM}, topic_arn: a.fifo", answers=[OK])
    assert form(request)["MessageGroupId"] == form(request)["MessageDeduplicationId"] == GROUP_HASH


def test_a_query_of_the_address_is_left_out(tmp_path: Path) -> None:
    item = f"api_url: 'http://@HTTP@/a?b={{{{ .Status }}}}&c=%2Fd', {KEYS}, topic_arn: a"
    [outcome], [request] = tell(tmp_path, "sns", item, answers=[OK])
    assert outcome.success
    assert request.url.endswith("/a")


@pytest.mark.parametrize(("text", "cut"), [("x" * 1600, 1600), ("x" * 1601, 1600), ("x" + "ä" * 900, 1600)])
def test_a_message_to_a_phone_is_cut_by_bytes(tmp_path: Path, text: str, cut: int) -> None:
    item = f"api_url: 'http://@HTTP@', {KEYS}, phone_number: '+49{{{{ len .Alerts }}}}', message: '{text}'"
    _, [request] = tell(tmp_path, "sns", item, answers=[OK])
    told = form(request)
    assert told["PhoneNumber"] == "+491"
    message = next(pair[8:] for pair in request.body.split(b"&") if pair.startswith(b"Message="))
    # In the middle of a character too, as with Alertmanager.
    assert unquote_to_bytes(message.replace(b"+", b" ")) == text.encode()[:cut]
    assert cut <= MAX_PHONE_BYTES
    assert ("MessageAttributes.entry.1.Name" in told) == (told["Message"] != text)


@pytest.mark.parametrize(
    ("answers", "tries", "success", "retry", "reason"),
    [
        ([OK], 1, True, False, ""),
        ([Answer(201, b"")], 1, True, False, ""),
        ([failed(400)], 1, False, False, "clientError"),
        ([failed(429)], 1, False, False, "rateLimited"),
        ([failed(400, "Throttling"), OK], 2, True, False, ""),
        ([failed(400, "Throttling")], MAX_TRIES, False, False, "clientError"),
        ([failed(500), failed(503), OK], 3, True, False, ""),
        ([failed(500)], MAX_TRIES, False, True, "serverError"),
        ([failed(501)], 1, False, True, "serverError"),
        ([Answer(300, OK.body)], 1, False, False, "other"),
        ([Answer(418, OK.body)], 1, False, False, "clientError"),
        ([Answer(200, b"<html>please log in")], 1, False, True, "other"),
        ([Answer(400, b"no XML")], 1, False, False, "clientError"),
        ([Answer(400, b"<no XML")], 1, False, True, "other"),
        ([Answer(200, b"no XML")], 1, True, False, ""),
        ([Answer(0), OK], 2, True, False, ""),
    ],
)
def test_what_is_tried_again_at_once_and_what_later(
    tmp_path: Path, answers: list[Answer], tries: int, success: bool, retry: bool, reason: str
) -> None:
    [outcome], received = tell(tmp_path, "sns", f"{ITEM}, topic_arn: a", answers=answers)
    assert (outcome.success, outcome.retry, outcome.reason) == (success, retry, reason)
    assert len(received) == tries
    assert SECRET not in outcome.error


def test_an_error_tells_what_aws_says_without_the_key(tmp_path: Path) -> None:
    [outcome], _ = tell(tmp_path, "sns", f"{ITEM}, topic_arn: a", answers=[failed(400)])
    assert outcome.error == "unexpected status code 400: MadeUp: no & <secret>"


def test_a_role_is_assumed_for_each_notification(tmp_path: Path) -> None:
    borrowed = Answer(
        200,
        b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"
        b"<SecretAccessKey>role-secret</SecretAccessKey><SessionToken>session-secret</SessionToken>"
        b"</Credentials></AssumeRoleResult></AssumeRoleResponse>",
    )
    item = (
        f"api_url: 'http://@HTTP@', topic_arn: a, message: m, {KEYS[:-1]}, role_arn: role, external_id: x}},"
        " http_config: {proxy_url: 'http://@HTTP@', tls_config: {ca_file: ca.pem}}"
    )
    bad = Answer(
        400, b"<ErrorResponse><Code>No</Code><Message>session-secret role-secret</Message></ErrorResponse>"
    )
    [outcome], [sts, publish] = tell(tmp_path, "sns", item, answers=[borrowed, bad])
    assert sts.url == "https://sts.eu-central-1.amazonaws.com/"
    assert form(sts)["Action"] == "AssumeRole"
    assert (form(sts)["RoleArn"], form(sts)["ExternalId"]) == ("role", "x")
    assert "Credential=ASIAROLE/" in publish.headers["authorization"]
    assert publish.headers["x-amz-security-token"] == "session-secret"
    assert outcome.error == "unexpected status code 400: No: <secret> <secret>"


def test_without_keys_or_region_it_is_said_what_is_missing(tmp_path: Path) -> None:
    item = "api_url: 'http://@HTTP@', topic_arn: a, message: m"
    [outcome], received = tell(tmp_path, "sns", item)
    assert (outcome.retry, received) == (True, [])
    assert outcome.error.startswith("no region in sigv4.region")
    [outcome], _ = tell(tmp_path, "sns", f"{item}, sigv4: {{region: r}}")
    assert outcome.error.startswith("no AWS keys in sigv4")


@pytest.mark.parametrize(
    ("name", "environment", "key", "region"),
    [
        ("", {}, "AKIDDEFAULT", "eu-1"),
        ("work", {}, "AKIDWORK", "eu-2"),
        ("", {"AWS_PROFILE": "work"}, "AKIDWORK", "eu-2"),
        ("", {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s"}, "AKIDENV", "eu-1"),
        ("work", {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s"}, "AKIDWORK", "eu-2"),
        ("", {"AWS_REGION": "us-1", "AWS_DEFAULT_REGION": "us-2"}, "AKIDDEFAULT", "us-1"),
        ("none", {}, None, ""),
    ],
)
def test_keys_of_the_environment_and_of_profiles(
    tmp_path: Path, name: str, environment: Mapping[str, str], key: str | None, region: str
) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = s%s\n"
        "[work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = s\naws_session_token = t\n"
    )
    (tmp_path / "config").write_text("[default]\nregion = eu-1\n[profile work]\nregion = eu-2\n")
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    found = read_profile(name, {**environment, **files})
    assert (found.credentials.access_key if found.credentials else None, found.region) == (key, region)


def test_a_file_in_no_form_is_told_without_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("file-secret\n")
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": "/-"}
    with pytest.raises(ValueError, match="not in the form") as caught:
        read_profile("", files)
    assert "file-secret" not in str(caught.value)


def test_a_failing_template_is_tried_again_as_alertmanager_does(tmp_path: Path) -> None:
    item = ITEM.replace("message: m", "message: '{{ template \"no.such\" . }}'")
    [outcome], received = tell(tmp_path, "sns", f"{item}, topic_arn: a")
    assert (outcome.success, outcome.retry, outcome.reason) == (False, True, "clientError")
    assert received == []


def test_what_is_shown() -> None:
    assert section("sns", "topic_arn: a").shown() == {
        "send_resolved": True,
        "http_config": {"follow_redirects": True, "enable_http2": True},
        "sigv4": {},
        "topic_arn": "a",
        "subject": '{{ template "sns.default.subject" . }}',
        "message": '{{ template "sns.default.message" . }}',
    }
    shown = section("sns", f"{KEYS}, phone_number: '3', subject: '', attributes: {{b: c}}").shown()
    assert shown["sigv4"] == {"region": "eu-central-1", "access_key": "AKIDEXAMPLE", "secret_key": "<secret>"}
    assert shown["attributes"] == {"b": "c"}
    assert "subject" not in shown


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("message: m", "must provide either a Target ARN, Topic ARN, or Phone Number"),
        ("topic_arn: a, target_arn: b", "must provide either a Target ARN, Topic ARN, or Phone Number"),
        ("topic_arn: a, sigv4: {access_key: a}", "must provide a AWS SigV4 Access key and Secret Key"),
    ],
)
def test_what_is_refused(item: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        section("sns", item)
    assert problem in str(caught.value)
