"""Data to try a template with where none is given: what ``amtool template render`` uses, value by value."""

from __future__ import annotations

from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_rfc3339
from tocsin.notify.template.data import Data, data_from_json

_COMMON_LABELS = {f"commonlabelkey{n}": f"commonlabelvalue{n}" for n in (1, 2)}
_COMMON_ANNOTATIONS = {f"commonannotationkey{n}": f"commonannotationvalue{n}" for n in (1, 2)}


def sample(now: Nanoseconds) -> Data:
    """One firing and one resolved alert, which began five and ten minutes before ``now``."""
    return data_from_json(
        {
            "receiver": "receiver",
            "status": "alertstatus",
            "alerts": [
                {
                    "status": "firing",
                    "labels": {
                        "label1": "value1",
                        "label2": "value2",
                        "instance": "foo.bar:1234",
                        **_COMMON_LABELS,
                    },
                    "annotations": {
                        "annotation1": "value1",
                        "annotation2": "value2",
                        **_COMMON_ANNOTATIONS,
                    },
                    "startsAt": format_rfc3339(now - 5 * 60 * SECOND),
                    "endsAt": format_rfc3339(now),
                    "generatorURL": "https://generatorurl.com",
                    "fingerprint": "fingerprint1",
                },
                {
                    "status": "resolved",
                    "labels": {"foo": "bar", "baz": "qux", **_COMMON_LABELS},
                    "annotations": {"aaa": "bbb", "ccc": "ddd", **_COMMON_ANNOTATIONS},
                    "startsAt": format_rfc3339(now - 10 * 60 * SECOND),
                    "endsAt": format_rfc3339(now),
                    "generatorURL": "https://generatorurl.com",
                    "fingerprint": "fingerprint2",
                },
            ],
            "groupLabels": {f"grouplabelkey{n}": f"grouplabelvalue{n}" for n in (1, 2)},
            "commonLabels": _COMMON_LABELS,
            "commonAnnotations": _COMMON_ANNOTATIONS,
            "externalURL": "https://example.com",
        }
    )
