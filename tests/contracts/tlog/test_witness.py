"""What is said about a new checkpoint: the specification's example, round trips, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import CommonweightError
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.checkpoint import Checkpoint, InvalidCheckpoint, sign_checkpoint
from contracts.tlog.note import InvalidNote
from contracts.tlog.text import MAX_SIZE
from contracts.tlog.witness import (
    MAX_REQUEST,
    AddCheckpoint,
    InvalidMirrorMessage,
    format_size,
    parse_add_checkpoint,
    parse_size,
)
from tests.contracts.tlog.vectors import ADD_CHECKPOINT, ORIGIN, Shelf, log_key, secret

pytestmark = pytest.mark.unit

HASH = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw="


def test_the_example_of_the_specification_is_read() -> None:
    found = parse_add_checkpoint(ADD_CHECKPOINT)
    assert (found.old, len(found.proof), found.checkpoint.size) == (20852014, 4, 20852163)
    assert [s.key_id.hex() for s in found.note.signatures] == ["033de0ae", "a292ea05"]
    assert found.format() == ADD_CHECKPOINT


@pytest.mark.parametrize(("old", "size"), [(0, 5), (5, 5), (5, 9), (256, 300)])
def test_requests_round_trip_and_their_proof_holds(old: int, size: int) -> None:
    shelf = Shelf([place.to_bytes(2, "big") for place in range(size)])
    proof = tuple(shelf.tree.consistency_proof(old, size)) if old else ()
    note = sign_checkpoint(Checkpoint(ORIGIN, size, shelf.root()), secret(ORIGIN))
    found = parse_add_checkpoint(AddCheckpoint(old, proof, note).format())
    assert found == AddCheckpoint(old, proof, note)
    SHA256_TREE.check_consistency(old, size, shelf.root(old), found.checkpoint.root, found.proof)


@given(st.data())
def test_what_is_read_is_written_alike(data: st.DataObject) -> None:
    changed = bytearray(ADD_CHECKPOINT)
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = parse_add_checkpoint(bytes(changed))
    except CommonweightError:
        return
    assert found.format() == bytes(changed)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("old 20852014", "old 020852014"),
        ("old 20852014", "old -1"),
        ("old 20852014", "old " + "9" * 400),
        ("old 20852014", "old  20852014"),
        ("old 20852014", "Old 20852014"),
        ("old 20852014\n", ""),
        ("old 20852014", "old 20852164"),
        ("old 20852014", "old 0"),
        (HASH, HASH[:-2] + "x="),
        (HASH, HASH + " "),
        (HASH, "QUJD"),
        (f"{HASH}\n", f"{HASH}\n" * 61),
    ],
)
def test_malformed_requests_are_refused(there: str, instead: str) -> None:
    with pytest.raises(InvalidMirrorMessage):
        parse_add_checkpoint(ADD_CHECKPOINT.replace(there.encode(), instead.encode(), 1))


def test_a_request_without_an_empty_line_is_refused() -> None:
    with pytest.raises(InvalidMirrorMessage, match="empty line"):
        parse_add_checkpoint(b"old 1\n")


def test_an_oversized_request_is_refused() -> None:
    with pytest.raises(InvalidMirrorMessage, match="at most"):
        parse_add_checkpoint(ADD_CHECKPOINT + bytes(MAX_REQUEST))


def test_a_request_about_something_else_is_refused() -> None:
    with pytest.raises(InvalidNote):
        parse_add_checkpoint(b"old 1\n\nhello\n")
    with pytest.raises(InvalidCheckpoint):
        parse_add_checkpoint(ADD_CHECKPOINT.replace(b"20852163", b"020852163"))


def test_a_request_of_64_hashes_is_not_written() -> None:
    found = parse_add_checkpoint(ADD_CHECKPOINT)
    assert replace(found, proof=found.proof[:1] * 63)
    with pytest.raises(InvalidMirrorMessage, match="63"):
        replace(found, proof=found.proof[:1] * 64)
    with pytest.raises(InvalidMirrorMessage, match="32 bytes"):
        replace(found, proof=(b"short",))


@given(st.integers(0, MAX_SIZE))
def test_sizes_round_trip(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    "data", [b"", b"5", b"5\n5\n", b"05\n", b"\n", b"5\r\n", b"-5\n", b"\xff\n", b"5" * 100 + b"\n"]
)
def test_other_answers_with_a_size_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidMirrorMessage):
        parse_size(data)


def test_the_log_of_a_request_is_known_by_its_key() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, bytes(32)), secret(ORIGIN))
    assert AddCheckpoint(0, (), note).checkpoint.origin == log_key().name
