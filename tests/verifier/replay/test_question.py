"""Questions and answers as they stand in rows and messages: a verifier and workers of two versions read the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.ids import as_address
from contracts.process.record import Record
from verifier.replay.combining import Basis, Step
from verifier.replay.holding import Measured
from verifier.replay.question import UNSOUND, Away, Done, Late, Missing, ReplayRequest, Unable, read_reply
from verifier.replay.replaying import JUDGE, TRUE, Said, Segment

pytestmark = pytest.mark.unit
NODES = (as_address("0xM"), as_address("0xN"))
ASKED = Segment("cfg", 3, NODES[1], NODES, "p", "d", 2, "s", "sb", "e", "eb", "t", ("a", "b"), True, "lim")
STANDS: list[tuple[Record, dict[str, Any]]] = [
    (
        Basis("c", "t", ("x",), "m", (), (("g", "b"),), "pl"),
        {
            "config": "c",
            "theta": "t",
            "theta_blobs": ["x"],
            "momentum": "m",
            "momentum_blobs": [],
            "gradients": [["g", "b"]],
            "place": "pl",
        },
    ),
    (Measured(5, "g", "e"), {"size": 5, "gradient": "g", "end": "e", "detail": ""}),
    (
        Said(1, 2, 1, 2**70, 3, "0x"),
        {
            "segment": 1,
            "word": 2,
            "reason": 1,
            "measured": "1180591620717411303424",
            "limit": "3",
            "trace": "0x",
            "detail": "",
        },
    ),
    (
        Step("t", "m", "tb", "mb", 2**63 - 1),
        {"theta": "t", "momentum": "m", "theta_blob": "tb", "momentum_blob": "mb", "loss": 2**63 - 1},
    ),
]


@pytest.mark.parametrize(("body", "stands"), STANDS)
def test_a_body_stands_in_json_field_by_field(body: Record, stands: dict[str, Any]) -> None:
    assert json.dumps(body.to_json()) == json.dumps(stands)
    assert type(body).from_json(stands) == body
    with pytest.raises(ValueError, match="extra"):
        type(body).from_json({**stands, "extra": 1})


def test_a_question_is_named_by_all_that_is_asked() -> None:
    """The name is in the rows of verifiers that run: what was answered is found again."""
    assert ReplayRequest(JUDGE, "0xproof", "segment 2", ASKED).key == ("0xproof", "segment 2 afda484ad7c14ec2")


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        ({"segment": 1, "word": 1, "measured": "0", "limit": "0", "took": 2}, Done(Said(1, TRUE), 2.0)),
        ({"segment": 1, "word": 1}, Done(Said(1, TRUE))),
        ({"missing": ["x"]}, Missing(("x",))),
        ({"late": 1.5}, Late(1.5)),
        ({"away": "503"}, Away("503")),
        ({"unable": "another machine"}, Unable("another machine")),
        ({"late": "soon"}, Unable(UNSOUND)),
        ({"segment": 1}, Unable(UNSOUND)),
        ({"segment": 1, "word": 1, "took": "long"}, Unable(UNSOUND)),
        ("nothing", Unable(UNSOUND)),
    ],
)
def test_a_reply_is_an_answer_or_says_why_there_is_none(body: Any, reply: Any) -> None:
    assert read_reply(Said, body) == reply
    if not isinstance(reply, Unable):
        assert read_reply(Said, reply.to_json()) == reply
