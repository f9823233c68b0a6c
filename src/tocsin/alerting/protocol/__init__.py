"""Alertmanager's protobuf messages and how they are strung together (wire 4.1).

``*_pb2`` are generated from the ``.proto`` files beside them by ``tools/generate-protocol``.
"""

from tocsin.alerting.protocol.delimited import delimit, read_delimited, write_delimited
from tocsin.alerting.protocol.parts import (
    decode_full_state,
    decode_part,
    encode_full_state,
    encode_part,
)

__all__ = [
    "decode_full_state",
    "decode_part",
    "delimit",
    "encode_full_state",
    "encode_part",
    "read_delimited",
    "write_delimited",
]
