"""The notification log: which notifications the cluster has sent, so that no other node sends them again."""

from tocsin.alerting.nflog.entry import Entry, Receiver, ReceiverData
from tocsin.alerting.nflog.log import NotificationLog

__all__ = ["Entry", "NotificationLog", "Receiver", "ReceiverData"]
