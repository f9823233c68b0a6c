"""Containers with a bound: a queue of packets, chunks for a reader, a quota and a rate limit for each key, a
memo, timers, keys that something happened to."""

from __future__ import annotations

from tocsin.bounded.allowance import Allowance
from tocsin.bounded.memo import Memo, Throttle
from tocsin.bounded.queue import PacketQueue
from tocsin.bounded.quota import Quota
from tocsin.bounded.reads import ReadBuffer
from tocsin.bounded.timers import Timers
from tocsin.bounded.touched import Touched

__all__ = ["Allowance", "Memo", "PacketQueue", "Quota", "ReadBuffer", "Throttle", "Timers", "Touched"]
