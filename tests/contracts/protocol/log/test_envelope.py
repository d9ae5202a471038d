"""A message as it comes in: its one text, or nothing."""

from __future__ import annotations

import json

import pytest

from contracts.errors import CommonweightError
from contracts.messages import for_log as messages
from contracts.messages.for_log import JUDGED
from contracts.protocol.log.envelope import KINDS, MessageTooLarge, parse_envelope
from contracts.protocol.log.leaf import LARGEST_LEAF, SIGNED, write
from contracts.protocol.log.signed import Envelope
from tests.contracts.protocol.log.signed_run import SignedRun, key

pytestmark = pytest.mark.unit


def renewal() -> bytes:
    message = messages.LeaseRenewal(b"\1" * 32, 1, key("node").address, 3)
    body = {"kind": "lease-renewal", **Envelope(message, (b"\1" * 65,), {}).body()}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def test_the_text_of_every_message_of_a_run_is_its_leaf() -> None:
    run = SignedRun()
    run.play()
    sent = [leaf for leaf in run.leaves if json.loads(leaf)["kind"] in SIGNED]
    assert len(sent) > 30
    for leaf in sent:
        envelope, text = parse_envelope(leaf.encode())
        assert (write(envelope), text) == (leaf, leaf)


def test_every_message_of_judgement_is_a_kind() -> None:
    assert set(KINDS.values()) == set(JUDGED)


def test_what_stands_in_no_log_is_read_too() -> None:
    envelope, _ = parse_envelope(renewal())
    assert envelope.message == messages.LeaseRenewal(b"\1" * 32, 1, key("node").address, 3)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"kind":"lease-renewal"}',
        renewal() + b" ",
        renewal().replace(b'"kind":"lease-renewal",', b""),
        renewal().replace(b"lease-renewal", b"block"),
        renewal().replace(b'"beside":{}', b'"beside":[]'),
        renewal().replace(b'"signatures":["0x', b'"signatures":["0X'),
    ],
)
def test_other_text_is_refused(spoilt: bytes) -> None:
    with pytest.raises(CommonweightError) as refusal:
        parse_envelope(spoilt)
    assert refusal.value.status == 422


def test_a_message_has_at_most_the_bytes_of_a_leaf() -> None:
    with pytest.raises(MessageTooLarge) as refusal:
        parse_envelope(b" " * (LARGEST_LEAF + 1))
    assert refusal.value.status == 413
