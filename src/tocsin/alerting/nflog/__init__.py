"""The notification log: which notifications the cluster has sent, so that no other node sends them again."""

from tocsin.alerting.nflog.entry import Entry, Receiver, ReceiverData, entry_key, next_entry
from tocsin.alerting.nflog.log import NotificationLog
from tocsin.alerting.nflog.view import LogKey, LogReader, LogView, RecordedEntries

__all__ = [
    "Entry",
    "LogKey",
    "LogReader",
    "LogView",
    "NotificationLog",
    "Receiver",
    "ReceiverData",
    "RecordedEntries",
    "entry_key",
    "next_entry",
]
