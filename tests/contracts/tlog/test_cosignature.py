"""Cosignatures: published ones, our own, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.checkpoint import Checkpoint, InvalidCheckpoint, sign_checkpoint
from contracts.tlog.cosignature import cosign, cosigned_message, verify_cosignature
from contracts.tlog.keys import BadLogSignature, SignatureType, parse_vkey
from contracts.tlog.note import NoteNotSigned, NoteSignature, SignedNote, parse_note, sign_note
from contracts.tlog.text import MAX_SIZE
from tests.contracts.tlog.vectors import (
    ARCHE,
    ARCHE_WITNESSES,
    NOW,
    ORIGIN,
    SOFA,
    SOFA_SIGNED,
    SOFA_WITNESS,
    log_key,
    mirror_key,
    secret,
)

pytestmark = pytest.mark.unit

HEAD = Checkpoint(ORIGIN, 1, SHA256_TREE.root([b"entry"]))
SIGNED = sign_checkpoint(HEAD, secret(ORIGIN))
MIRROR = mirror_key("m1")


def cosigned(time: int = NOW) -> SignedNote:
    return SIGNED.adding(cosign(SIGNED.text, MIRROR.name, secret("m1"), time))


def test_the_signed_message_is_that_of_the_specification() -> None:
    note = parse_note(SOFA + SOFA_WITNESS)
    line = note.signatures[1]
    time = int.from_bytes(line.signature[:8], "big")
    assert (time, line.key_id.hex(), len(line.signature)) == (1679315147, "8d66cf3f", 72)
    assert cosigned_message(note.text, time) == SOFA_SIGNED


@pytest.mark.parametrize("name", ARCHE_WITNESSES)
def test_cosignatures_of_running_witnesses_verify(name: str) -> None:
    assert verify_cosignature(parse_note(ARCHE), parse_vkey(ARCHE_WITNESSES[name])) == 1779573024


def test_a_running_witness_did_not_sign_another_head() -> None:
    note = parse_note(ARCHE.replace(b"1432088532", b"1432088533"))
    with pytest.raises(BadLogSignature):
        verify_cosignature(note, parse_vkey(ARCHE_WITNESSES["remora"]))


@given(st.integers(0, MAX_SIZE))
def test_what_is_cosigned_verifies(time: int) -> None:
    assert verify_cosignature(parse_note(cosigned(time).format()), MIRROR) == time


@given(st.integers(0, 71), st.integers(1, 255))
def test_no_byte_of_a_cosignature_can_be_changed(at: int, flip: int) -> None:
    line = cosigned().signatures[1]
    changed = bytearray(line.signature)
    changed[at] ^= flip
    note = SIGNED.adding(NoteSignature(line.name, line.key_id, bytes(changed)))
    with pytest.raises(BadLogSignature):
        verify_cosignature(note, MIRROR)


def test_extension_lines_are_under_the_cosignature() -> None:
    head = Checkpoint(ORIGIN, 1, HEAD.root, ("extension",))
    note = sign_checkpoint(head, secret(ORIGIN)).adding(cosign(head.text(), MIRROR.name, secret("m1"), NOW))
    verify_cosignature(note, MIRROR)
    with pytest.raises(BadLogSignature):
        verify_cosignature(SignedNote(note.text.replace("extension", "extensiom"), note.signatures), MIRROR)


def test_of_two_times_the_later_counts() -> None:
    note = cosigned(NOW).adding(cosign(SIGNED.text, MIRROR.name, secret("m1"), NOW + 5))
    assert verify_cosignature(note, MIRROR) == NOW + 5


def test_a_second_and_false_cosignature_is_not_passed_over() -> None:
    line = cosigned().signatures[1]
    note = cosigned().adding(NoteSignature(line.name, line.key_id, bytes(72)))
    with pytest.raises(BadLogSignature):
        verify_cosignature(note, MIRROR)


def test_only_checkpoints_are_cosigned() -> None:
    with pytest.raises(InvalidCheckpoint):
        cosign("hello\n", MIRROR.name, secret("m1"), NOW)


def test_a_cosigned_text_that_is_no_head_is_refused() -> None:
    line = cosigned().signatures[1]
    signed = NOW.to_bytes(8, "big") + secret("m1").sign(cosigned_message("hello\n", NOW))
    with pytest.raises(InvalidCheckpoint):
        verify_cosignature(SignedNote("hello\n", (NoteSignature(line.name, line.key_id, signed),)), MIRROR)


@pytest.mark.parametrize("time", [-1, MAX_SIZE + 1])
def test_a_time_out_of_range_is_not_signed(time: int) -> None:
    with pytest.raises(BadLogSignature, match="time"):
        cosign(SIGNED.text, MIRROR.name, secret("m1"), time)


def test_a_time_beyond_63_bits_is_refused() -> None:
    time = MAX_SIZE + 1
    signed = time.to_bytes(8, "big") + secret("m1").sign(cosigned_message(SIGNED.text, time))
    with pytest.raises(BadLogSignature, match="beyond"):
        verify_cosignature(SIGNED.adding(NoteSignature(MIRROR.name, MIRROR.key_id, signed)), MIRROR)


def test_a_signature_without_a_time_is_refused() -> None:
    line = NoteSignature(MIRROR.name, MIRROR.key_id, secret("m1").sign(SIGNED.text.encode()))
    with pytest.raises(BadLogSignature, match="72 bytes"):
        verify_cosignature(SIGNED.adding(line), MIRROR)


def test_logs_and_cosigners_do_not_stand_in_for_each_other() -> None:
    with pytest.raises(NoteNotSigned, match="log's key"):
        verify_cosignature(SIGNED, log_key())
    as_log = secret("m1").verifier(MIRROR.name, SignatureType.NOTE)
    assert as_log.key_id != MIRROR.key_id
    with pytest.raises(NoteNotSigned):
        verify_cosignature(sign_note(SIGNED.text, MIRROR.name, secret("m1")), MIRROR)
