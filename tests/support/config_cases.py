"""Configurations that Alertmanager 0.33.1 takes, and ones that it refuses.

tests/interop asks ``amtool check-config`` and Tocsin alike; the unit tests ask Tocsin alone.
"""

from __future__ import annotations

LEAST = "route: {receiver: r}\nreceivers: [{name: r}]\n"


def route(text: str) -> str:
    """A configuration with one route below the root."""
    return (
        f"route:\n  receiver: r\n  routes:\n  - {text}\nreceivers: [{{name: r}}]\n"
        "time_intervals: [{name: t, time_intervals: []}]\n"
    )


def webhook(text: str) -> str:
    """A configuration with one webhook; ``text`` is its body in flow style."""
    return f"route: {{receiver: r}}\nreceivers:\n- name: r\n  webhook_configs:\n  - {{{text}}}\n"


def http(text: str) -> str:
    """A configuration with one webhook that has an ``http_config``."""
    return webhook(f"url: 'http://h/', http_config: {{{text}}}")


def interval(text: str) -> str:
    """A configuration with one time interval."""
    return f"{LEAST}time_intervals:\n- name: t\n  time_intervals:\n  - {text}\n"


def inhibit(text: str) -> str:
    """A configuration with one inhibition rule."""
    return f"{LEAST}inhibit_rules:\n- {text}\n"


GOOD: dict[str, str] = {
    "the least": LEAST,
    "a second document, which nobody reads": f"{LEAST}---\n{LEAST}",
    "every duration": route("{group_wait: 0s, group_interval: 1m30s, repeat_interval: 1w2d3h4m5s6ms}"),
    "group by all": route("{group_by: ['...']}"),
    "group by a UTF-8 name": route("{group_by: [réseau, a-b]}"),
    "empty group by": route("{group_by: []}"),
    "old matchers": route("{match: {a: b, n: 5}, match_re: {c: 'x|y', d: ''}}"),
    "new matchers": route("{matchers: [a=b, 'c!=\"d\"', e=~f.*, 'g!~h', '{i=\"j\",k=\"l\"}', '\"ü x\"=y']}"),
    "continue in every word": route("{continue: y}") + "# yes, on, true\n",
    "continue as yes": route("{continue: Yes}"),
    "continue as off": route("{continue: OFF}"),
    "mute and active intervals": route("{mute_time_intervals: [t], active_time_intervals: [t]}"),
    "null where a value could be": (
        "global:\nroute: {receiver: r, routes: , group_by: ~}\nreceivers: [name: r]\n"
    ),
    "anchors and merging": (
        "route: {receiver: r, routes: [&a {receiver: r, group_wait: 5s}, {<<: *a, group_wait: 6s}]}\n"
        "receivers: [{name: r}]\n"
    ),
    "a number for a name": "route: {receiver: 12:30}\nreceivers: [{name: 12:30}]\n",
    "a receiver with labels": "route: {receiver: r}\nreceivers: [{name: r, labels: {team: a, name: r}}]\n",
    "webhook with all keys": webhook(
        "url: 'https://u:p@h:1/x?y=z', send_resolved: no, max_alerts: 0x10, timeout: 1m30s"
    ),
    "webhook timeout without a unit": webhook("url: 'http://h/', timeout: 5"),
    "webhook by a file": webhook("url_file: url.txt"),
    "url as the API shows it": webhook("url: <secret>"),
    "http with basic auth": http("basic_auth: {username: u, password_file: p}"),
    "http with authorization": http("authorization: {type: ' Token ', credentials: c}"),
    "http with an old bearer token": http("bearer_token: t"),
    "webhook with a template as url": webhook("url: 'http://h/{{ .GroupLabels.a }}'"),
    "http with oauth2": http("oauth2: {client_id: c, client_secret: s, token_url: 'http://t/'}"),
    "webhook with a payload": webhook("url: 'http://h/', payload: {a: b, c: [1, true]}"),
    "http with TLS": http(
        "tls_config: {ca: x, cert_file: c, key_file: k, server_name: s,"
        " min_version: TLS12, max_version: TLS13}"
    ),
    "http with a proxy": http("proxy_url: 'http://p:1', no_proxy: 'a,b', proxy_connect_header: {X: [y]}"),
    "http with headers": http("http_headers: {X-A: {values: [a], secrets: [b], files: [c]}}"),
    "http without redirects": http("follow_redirects: false, enable_http2: false"),
    "old inhibition": inhibit("{source_match: {a: b}, target_match_re: {c: d}, equal: [e, 'ü']}"),
    "new inhibition": inhibit("{name: n, source_matchers: [a=b], target_matchers: ['c=~\"d\"']}"),
    "time intervals": interval(
        "{times: [{start_time: '09:00', end_time: '24:00'}], weekdays: ['Monday:friday', sunday],"
        " days_of_month: ['1:5', '-3:-1'], months: ['january:3', may], years: ['2026:2030', 2031],"
        " location: Europe/Paris}"
    ),
    "mute intervals by their old name": f"{LEAST}mute_time_intervals: [{{name: m, time_intervals: []}}]\n",
    "every global of other integrations": (
        "global:\n  resolve_timeout: 1h\n  smtp_from: a@b\n"
        "  smtp_smarthost: 'h:25'\n  smtp_auth_username: u\n"
        "  smtp_auth_password: p\n  smtp_auth_identity: i\n  smtp_hello: h\n  smtp_require_tls: false\n"
        "  smtp_tls_config: {insecure_skip_verify: true}\n"
        "  slack_api_url: https://h/s\n  pagerduty_url: https://h\n"
        "  opsgenie_api_url: https://h/\n  opsgenie_api_key: k\n  wechat_api_secret_file: f\n"
        "  victorops_api_key: k\n  telegram_bot_token: t\n"
        "  webex_api_url: https://h\n  jira_api_url: https://h\n"
        "  rocketchat_token: t\n  mattermost_webhook_url: https://h\n" + LEAST
    ),
}

BAD: dict[str, tuple[str, int, str]] = {
    # name: text, line of our error, what it says
    "nothing": ("", 1, "no route provided in config"),
    "only a comment": ("# nothing\n", 1, "no route provided in config"),
    "no route": ("receivers: [{name: r}]\n", 1, "no routes provided"),
    "not YAML": ("route: {receiver: r\n", 2, "not valid YAML"),
    "a tab": ("route:\n\treceiver: r\n", 2, "not valid YAML"),
    "a list at the top": ("- a\n", 1, "expected a map"),
    "an unknown key": (LEAST + "reciever: x\n", 3, "unknown key 'reciever'"),
    "a key twice": (LEAST + "route: {receiver: r}\n", 3, "the key 'route' is here twice, first in line 1"),
    "an unknown key in a route": (route("{recever: r}"), 4, "did you mean 'receiver'?"),
    "an unknown alias": ("route: *a\n", 1, "the alias *a has no anchor"),
    "an alias in itself": ("route: &a {routes: [*a]}\n", 1, "contains itself"),
    "a list where text is due": (
        "route: {receiver: [r]}\nreceivers: [{name: r}]\n",
        1,
        "expected text, found a list",
    ),
    "text where a map is due": ("route: r\n", 1, "expected a map, found plain text"),
    "a map where a list is due": (
        "route: {receiver: r}\nreceivers: {name: r}\n",
        2,
        "expected a list, found a map",
    ),
    "no receiver in the root": (
        "route: {group_by: [a]}\nreceivers: [{name: r}]\n",
        1,
        "must specify a default receiver",
    ),
    "a matcher in the root": (
        "route: {receiver: r, matchers: [a=b]}\nreceivers: [{name: r}]\n",
        1,
        "root route must not have any matchers",
    ),
    "match in the root": (
        "route: {receiver: r, match: {a: b}}\nreceivers: [{name: r}]\n",
        1,
        "root route must not have any matchers",
    ),
    "mute intervals in the root": (
        "route: {receiver: r, mute_time_intervals: [t]}\nreceivers: [{name: r}]\n",
        1,
        "any mute time intervals",
    ),
    "active intervals in the root": (
        "route: {receiver: r, active_time_intervals: [t]}\nreceivers: [{name: r}]\n",
        1,
        "any active time intervals",
    ),
    "continue in the root": (
        "route: {receiver: r, continue: true}\nreceivers: [{name: r}]\n",
        1,
        "cannot have continue",
    ),
    "an undefined receiver": (route("{receiver: x}"), 4, 'undefined receiver "x" used in route'),
    "an undefined receiver in the root": ("route: {receiver: x}\n", 1, 'undefined receiver "x"'),
    "a receiver twice": (
        "route: {receiver: r}\nreceivers:\n- name: r\n- name: r\n",
        4,
        'notification config name "r" is not unique',
    ),
    "a receiver without a name": (
        "route: {receiver: r}\nreceivers:\n- name: r\n- {}\n",
        4,
        "missing name in receiver",
    ),
    "a receiver with another's label": (
        "route: {receiver: r}\nreceivers: [{name: r, labels: {name: x}}]\n",
        2,
        'must match receiver name "r", got "x"',
    ),
    "an undefined interval": (
        route("{mute_time_intervals: [x]}"),
        4,
        'undefined time interval "x" used in route',
    ),
    "an undefined active interval": (route("{active_time_intervals: [x]}"), 4, 'undefined time interval "x"'),
    "an interval twice": (
        f"{LEAST}time_intervals: [{{name: t, time_intervals: []}}, {{name: t, time_intervals: []}}]\n",
        3,
        'time interval "t" is not unique',
    ),
    "an interval under both names": (
        f"{LEAST}time_intervals: [{{name: t}}]\nmute_time_intervals: [{{name: t}}]\n",
        3,
        'time interval "t" is not unique',
    ),
    "an interval without a name": (
        f"{LEAST}time_intervals: [{{time_intervals: []}}]\n",
        3,
        "missing name in time interval",
    ),
    "group_interval of zero": (route("{group_interval: 0s}"), 4, "group_interval cannot be zero"),
    "repeat_interval of zero": (route("{repeat_interval: 0m}"), 4, "repeat_interval cannot be zero"),
    "a duration without a unit": (route("{group_wait: 30}"), 4, 'not a valid duration string: "30"'),
    "a duration in Go's form": (route("{group_wait: 1.5h}"), 4, 'in duration "1.5h"'),
    "an empty duration": (route("{group_wait: ''}"), 4, "empty duration string"),
    "a label twice in group_by": (route("{group_by: [a, b, a]}"), 4, 'duplicated label "a" in group_by'),
    "all and one in group_by": (route("{group_by: [a, '...']}"), 4, "cannot have wildcard group_by"),
    "an empty label in group_by": (route("{group_by: ['']}"), 4, 'invalid label name "" in group_by list'),
    "group_by as text": (route("{group_by: a}"), 4, "expected a list"),
    "a bool in quotes": (route("{continue: 'true'}"), 4, "expected true or false, found quoted text"),
    "a bool as a number": (route("{continue: 1}"), 4, "expected true or false"),
    "a bool in mixed letters": (route("{continue: tRUE}"), 4, "expected true or false"),
    "a matcher that is none": (route("{matchers: ['a']}"), 4, "bad matcher format"),
    "a matcher with a bad expression": (route("{matchers: ['a=~\"[\"']}"), 4, "missing closing ]"),
    "a matcher with lookahead": (route("{matchers: ['a=~\"(?!b)c\"']}"), 4, "error parsing regexp"),
    "matchers as text": (route("{matchers: a=b}"), 4, "expected a list"),
    "match with a bad name": (route("{match: {a-b: c}}"), 4, 'invalid label name "a-b"'),
    "match_re with a bad name": (route("{match_re: {'0': c}}"), 4, 'invalid label name "0"'),
    "match_re with a bad expression": (route("{match_re: {a: '('}}"), 4, "missing closing )"),
    "match_re with nothing": (route("{match_re: {a: }}"), 4, 'invalid regexp value for "a"'),
    "webhook without a url": (webhook("max_alerts: 1"), 5, "one of url or url_file must be configured"),
    "webhook with two urls": (webhook("url: 'http://h/', url_file: f"), 5, "at most one of url & url_file"),
    "webhook of another scheme": (
        webhook("url: 'ftp://h/'"),
        5,
        'invalid URL: unsupported scheme "ftp" for URL',
    ),
    "webhook without a scheme": (webhook("url: 'h/x'"), 5, 'unsupported scheme ""'),
    "webhook without a host": (webhook("url: 'http:///x'"), 5, "missing host for URL"),
    "webhook with a bad port": (webhook("url: 'http://h:x/'"), 5, "invalid port"),
    "webhook with a bad escape": (webhook("url: 'http://h/%zz'"), 5, "followed by two hexadecimal digits"),
    "webhook with fewer than no alerts": (
        webhook("url: 'http://h/', max_alerts: -1"),
        5,
        "a whole number from 0",
    ),
    "webhook with alerts in quotes": (
        webhook("url: 'http://h/', max_alerts: '1'"),
        5,
        "a whole number from 0",
    ),
    "webhook with a timeout in days": (webhook("url: 'http://h/', timeout: 1d"), 5, "unknown unit"),
    "webhook with an unknown key": (
        webhook("url: 'http://h/', send_resolve: true"),
        5,
        "did you mean 'send_resolved'?",
    ),
    "two authorizations": (
        http("basic_auth: {username: u}, authorization: {credentials: c}"),
        5,
        "at most one of basic_auth, oauth2",
    ),
    "two passwords": (
        http("basic_auth: {password: a, password_file: b}"),
        5,
        "at most one of basic_auth password",
    ),
    "two tokens": (http("bearer_token: a, bearer_token_file: b"), 5, "at most one of bearer_token"),
    "a token and authorization": (
        http("bearer_token: a, authorization: {}"),
        5,
        "not compatible with bearer_token",
    ),
    "basic as authorization": (http("authorization: {type: Basic}"), 5, 'cannot be set to "basic"'),
    "a certificate without its key": (http("tls_config: {cert_file: c}"), 5, "needs its key"),
    "a key without its certificate": (http("tls_config: {key_file: k}"), 5, "needs its certificate"),
    "two CAs": (http("tls_config: {ca: a, ca_file: b}"), 5, "at most one of ca & ca_file"),
    "an unknown TLS version": (http("tls_config: {min_version: TLS1.2}"), 5, "unknown TLS version: TLS1.2"),
    "no_proxy without a proxy": (http("no_proxy: a"), 5, "if no_proxy is configured"),
    "proxy twice": (
        http("proxy_url: 'http://p', proxy_from_environment: true"),
        5,
        "if proxy_from_environment",
    ),
    "proxy headers without a proxy": (http("proxy_connect_header: {A: [b]}"), 5, "if proxy_connect_header"),
    "a reserved header": (
        http("http_headers: {host: {values: [a]}}"),
        5,
        'setting header "Host" is not allowed',
    ),
    "inhibition with a bad name": (inhibit("{source_match: {a-b: c}}"), 4, 'invalid label name "a-b"'),
    "inhibition with an empty name": (inhibit("{equal: ['']}"), 4, 'invalid label name "" in equal list'),
    "inhibition with a bad expression": (inhibit("{target_match_re: {a: '['}}"), 4, "missing closing ]"),
    "inhibition with an unknown key": (inhibit("{source: {a: b}}"), 4, "unknown key 'source'"),
    "a time that is none": (
        interval("{times: [{start_time: '9:00', end_time: '10:00'}]}"),
        6,
        "couldn't parse timestamp",
    ),
    "times in the wrong order": (
        interval("{times: [{start_time: '10:00', end_time: '09:00'}]}"),
        6,
        "start time cannot be equal or greater",
    ),
    "a time alone": (
        interval("{times: [{start_time: '10:00'}]}"),
        6,
        "both start and end times must be provided",
    ),
    "a day that is none": (interval("{weekdays: [someday]}"), 6, "is not a valid weekday"),
    "days in the wrong order": (
        interval("{weekdays: ['friday:monday']}"),
        6,
        "start day cannot be before end day",
    ),
    "day 32": (interval("{days_of_month: ['32']}"), 6, "not a valid day of the month: out of range"),
    "month 0 to none": (interval("{months: ['x']}"), 6, "is not a valid month"),
    "years in the wrong order": (
        interval("{years: ['2030:2026']}"),
        6,
        "end year 2026 is before start year 2030",
    ),
    "a place that is none": (
        interval("{location: Atlantis/Capital}"),
        6,
        "unknown time zone Atlantis/Capital",
    ),
    "a global key twice over": (
        "global: {opsgenie_api_key: a, opsgenie_api_key_file: b}\n" + LEAST,
        1,
        "at most one of opsgenie_api_key",
    ),
    "a smarthost without a port": ("global: {smtp_smarthost: h}\n" + LEAST, 1, "missing port in address"),
    "a global url that is none": ("global: {pagerduty_url: x}\n" + LEAST, 1, "unsupported scheme"),
    "a template that is none": (webhook("url: 'http://h/{{ .GroupKey'"), 5, "the template"),
    "an unknown kind of integration": (
        "route: {receiver: r}\nreceivers: [{name: r, fax_configs: []}]\n",
        2,
        "unknown key 'fax_configs'",
    ),
}

STRICTER: dict[str, tuple[str, int, str]] = {
    "a secret by reference": (http("basic_auth: {password_ref: x}"), 5, "secrets by reference"),
    "versions that leave none": (
        http("tls_config: {min_version: TLS13, max_version: TLS12}"),
        5,
        "min_version TLS13 is above max_version TLS12",
    ),
}
"""What Alertmanager takes and this version refuses in words, because it could not keep what it says."""
