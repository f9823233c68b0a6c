"""What the plain page says of others."""

from tocsin.node.api.backend import PeerGap, PeerStatus
from tocsin.node.pages.plain import _gaps, _members

FORGED = "node\u202e\x1b[2J<b>"
SHOWN = "<code>node\\u202e\\x1b[2J&lt;b&gt;</code>"


def test_a_members_name_cannot_turn_the_direction_of_writing() -> None:
    assert SHOWN in _members([PeerStatus(FORGED, "127.0.0.1:9094")])


def test_nor_can_what_is_missing() -> None:
    page = _gaps([PeerGap(FORGED, "refused\u202e")])
    assert SHOWN in page
    assert "<td>refused\\u202e</td>" in page
