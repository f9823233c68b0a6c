"""The decision record: what was decided about each flush, kept so that it can be asked for later.

Its schema is told in docs/decisions-record.md.
"""

from tocsin.alerting.record.codec import VERSION, NewerRecordError, decode, encode, searchable
from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.record.recorder import Raw, Recorder
from tocsin.alerting.record.ring import Bounds, Ring

__all__ = [
    "VERSION",
    "Bounds",
    "FlushRecord",
    "NewerRecordError",
    "Raw",
    "Recorder",
    "Ring",
    "decode",
    "encode",
    "searchable",
]
