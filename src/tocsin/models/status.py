"""``status``: a node at a glance, and warnings about it."""

from __future__ import annotations

from typing import Annotated, Literal

from tocsin.models.base import Model, Time, said


class Build(Model):
    """The versions of the running program."""

    version: Annotated[str, said("Tocsin's own")]
    alertmanager: Annotated[str, said("the version of Alertmanager whose API, flags and metrics it has")]
    runtime: Annotated[str, said("of Python")]


class Configuration(Model):
    """The configuration in force."""

    hash: Annotated[str, said("the number in alertmanager_config_hash")]
    loaded_at: Time
    successful: Annotated[bool, said("whether the last attempt to load it went well")]


class Counts(Model):
    """How many alerts, silences and aggregation groups there are."""

    alerts_firing: int
    alerts_resolved: Annotated[int, said("that are still known")]
    silences_active: int
    silences_pending: int
    silences_expired: Annotated[int, said("that are still kept")]
    groups: int


class Status(Model):
    """A node at a glance."""

    name: Annotated[str, said("in the cluster; empty: it is alone")]
    build: Build
    started_at: Time
    now: Annotated[Time, said("the node's clock")]
    ready: Annotated[bool, said("whether notifications may go out: the cluster has settled")]
    cluster: Literal["disabled", "settling", "ready"]
    read_only: Annotated[bool, said("`--web.read-only`: nothing but alerts is taken here")]
    features: Annotated[tuple[str, ...], said("of `--enable-feature`")]
    warnings: Annotated[
        tuple[str, ...], said("for people: clear text, who is missing, certificates, doubtful configuration")
    ]
    configuration: Configuration
    counts: Counts
