"""Inhibition: a firing source alert mutes the target alerts that agree with it on some labels."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.alerting.matcher import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """One of ``inhibit_rules``. ``equal``: labels whose values must agree, an absent one being empty."""

    source_matchers: tuple[Matcher, ...]
    target_matchers: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    name: str = ""
