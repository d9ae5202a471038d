"""The proof of one entry: the specification's example, every entry of a log, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import CommonweightError, InvalidTree
from contracts.tlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from contracts.tlog.cosignature import cosign
from contracts.tlog.keys import BadLogSignature
from contracts.tlog.note import InvalidNote, SignedNote, sign_note
from contracts.tlog.policy import PolicyNotMet, k_of_n
from contracts.tlog.proof import MAX_EXTRA, MAX_PROOF, InvalidLogProof, LogProof, parse_proof, prove
from contracts.tlog.tile_tree import TileReader
from tests.contracts.tlog.vectors import (
    NOW,
    ORIGIN,
    PROOF_CHECKPOINT,
    PROOF_HEAD,
    Shelf,
    log_key,
    mirror_key,
    secret,
)

pytestmark = pytest.mark.unit

SIZE = 300
SHELF = Shelf([f"entry {place}".encode() for place in range(SIZE)])
MIRRORS = ("m1", "m2", "m3")
POLICY = k_of_n(log_key(), {name: mirror_key(name) for name in MIRRORS}, 2)


def head(size: int, *names: str) -> SignedNote:
    note = sign_checkpoint(Checkpoint(ORIGIN, size, SHELF.root(size)), secret(ORIGIN))
    return note.adding(*(cosign(note.text, f"{name}.example", secret(name), NOW) for name in names))


NOTE = head(SIZE, "m1", "m2")
PROOF = prove(SHELF.tree, 77, NOTE, b"extra")


def test_the_example_of_the_specification_is_read() -> None:
    note = sign_note(PROOF_CHECKPOINT, "example.com/fancylog", secret("example.com/fancylog"))
    data = PROOF_HEAD + note.format()
    found = parse_proof(data)
    assert (found.index, len(found.hashes), len(found.extra)) == (73894, 5, 39)
    assert parse_checkpoint(found.note.text).size == 109482
    assert found.format() == data


@settings(max_examples=60, deadline=None)
@given(st.integers(1, SIZE), st.data())
def test_every_entry_of_every_log_is_proven(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    made = prove(SHELF.tree, index, head(size, "m1", "m3"), data.draw(st.binary(max_size=10)))
    found = parse_proof(made.format())
    assert found == made
    assert found.check(SHELF.entries[index], POLICY).checkpoint.size == size


def test_a_proof_out_of_tiles_is_the_same() -> None:
    tree = TileReader(SHELF.read, SIZE, SHELF.root()).tree()
    assert prove(tree, 77, NOTE, b"extra") == PROOF


@settings(deadline=None)
@given(st.data())
def test_a_changed_proof_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """Only the extra bytes, which nobody signs, and signatures that the policy does without may differ."""
    changed = bytearray(PROOF.format())
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = parse_proof(bytes(changed))
        accepted = found.check(SHELF.entries[77], POLICY)
    except CommonweightError:
        return
    assert accepted == PROOF.check(SHELF.entries[77], POLICY)
    assert replace(found, extra=b"extra", note=NOTE) == PROOF


def test_another_entry_or_place_is_refused() -> None:
    PROOF.check(SHELF.entries[77], POLICY)
    wrong = [
        (PROOF, SHELF.entries[78]),
        (replace(PROOF, index=78), SHELF.entries[77]),
        (replace(PROOF, index=SIZE), SHELF.entries[77]),
        (replace(PROOF, hashes=PROOF.hashes[1:]), SHELF.entries[77]),
        (replace(PROOF, hashes=(*PROOF.hashes, bytes(32))), SHELF.entries[77]),
    ]
    for proof, entry in wrong:
        with pytest.raises(InvalidTree):
            proof.check(entry, POLICY)


def test_too_few_cosigners_are_refused() -> None:
    with pytest.raises(PolicyNotMet):
        prove(SHELF.tree, 77, head(SIZE, "m1")).check(SHELF.entries[77], POLICY)


def test_signatures_of_another_head_are_refused() -> None:
    moved = SignedNote(NOTE.text, head(SIZE - 1, "m1", "m2").signatures)
    with pytest.raises(BadLogSignature):
        replace(PROOF, note=moved).check(SHELF.entries[77], POLICY)


def test_a_log_of_one_entry_needs_no_hash() -> None:
    made = prove(SHELF.tree, 0, head(1, "m1", "m2"))
    assert made.format().startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nlog.example/run\n1\n")
    parse_proof(made.format()).check(SHELF.entries[0], POLICY)


def test_an_entry_beyond_the_head_is_not_proven() -> None:
    with pytest.raises(InvalidTree):
        prove(SHELF.tree, SIZE, NOTE)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b"tlog-proof@v1", b"tlog-proof@v2"),
        (b"c2sp.org/tlog-proof@v1\n", b""),
        (b"c2sp.org", b" c2sp.org"),
        (b"extra ZXh0cmE=", b"extra "),
        (b"extra ZXh0cmE=", b"extra ZXh0cmE"),
        (b"extra ZXh0cmE=", b"extra ZXh0cmF="),
        (b"extra ZXh0cmE=", b"extra ZXh0cmE= "),
        (b"extra ZXh0cmE=", b"extra ZXh0cmE=\nextra ZXh0cmE="),
        (b"extra ZXh0cmE=", b"Extra ZXh0cmE="),
        (b"index 77", b"index 077"),
        (b"index 77", b"index -77"),
        (b"index 77", b"index  77"),
        (b"index 77", b"index 77\r"),
        (b"index 77", b"index " + b"9" * 5000),
        (b"index 77\n", b""),
        (b"index 77\n", b"index 77\nQUJD\n"),
        (b"index 77\n", b"index 77\n" + b"A" * 44 + b"\n"),
        (b"index 77\n", b"index 77\n" + (b"A" * 43 + b"=\n") * 64),
        (b"index 77\n", b"index 77\n\xff\n"),
    ],
)
def test_malformed_proofs_are_refused(there: bytes, instead: bytes) -> None:
    assert there in PROOF.format()
    with pytest.raises(InvalidLogProof):
        parse_proof(PROOF.format().replace(there, instead, 1))


def test_a_proof_without_a_note_is_refused() -> None:
    with pytest.raises(InvalidNote):
        parse_proof(b"c2sp.org/tlog-proof@v1\nindex 0\n\nhello\n")
    for data in (b"", b"c2sp.org/tlog-proof@v1\nindex 0\n", b"c2sp.org/tlog-proof@v1\n\nhello\n"):
        with pytest.raises(InvalidLogProof):
            parse_proof(data)


def test_oversized_proofs_are_refused() -> None:
    with pytest.raises(InvalidLogProof, match="at most"):
        parse_proof(bytes(MAX_PROOF + 1))
    with pytest.raises(InvalidLogProof, match="extra"):
        replace(PROOF, extra=bytes(MAX_EXTRA + 1))
    with pytest.raises(InvalidLogProof, match="63"):
        replace(PROOF, hashes=(bytes(32),) * 64)


@pytest.mark.parametrize("change", [{"index": -1}, {"index": 2**63}, {"hashes": (b"short",)}])
def test_proofs_out_of_range_are_not_made(change: dict[str, object]) -> None:
    with pytest.raises(InvalidLogProof):
        replace(PROOF, **change)  # type: ignore[arg-type]


def test_the_largest_proof_is_read() -> None:
    made = LogProof(0, (bytes(32),) * 63, NOTE, bytes(MAX_EXTRA))
    assert parse_proof(made.format()) == made
