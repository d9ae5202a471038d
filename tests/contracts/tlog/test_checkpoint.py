"""Checkpoints: published ones, round trips, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.checkpoint import (
    Checkpoint,
    InvalidCheckpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from contracts.tlog.keys import BadLogSignature, InvalidLogKey, parse_vkey
from contracts.tlog.note import InvalidNote, NoteNotSigned, SignedNote, parse_note, sign_note
from contracts.tlog.text import MAX_SIZE
from tests.contracts.tlog.vectors import ARCHE, ARCHE_KEY, GO_DATABASE_KEY, ORIGIN, SOFA, log_key, secret

pytestmark = pytest.mark.unit

ROOT = SHA256_TREE.root([b"entry"])
ROOT_TEXT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
LINES = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=20)
CHECKPOINTS = st.builds(
    Checkpoint,
    LINES,
    st.integers(1, MAX_SIZE),
    st.binary(min_size=32, max_size=32),
    st.lists(LINES, max_size=3).map(tuple),
)


def test_the_example_of_the_specification_is_read() -> None:
    found = parse_checkpoint(parse_note(SOFA).text)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert found.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert found.text() == parse_note(SOFA).text


def test_its_signature_is_the_go_databases_under_its_origin() -> None:
    """The specification renamed a real head; under its real name the signature verifies."""
    (line,) = parse_note(SOFA).signatures
    text = parse_note(SOFA).text.replace("example.com/behind-the-sofa", "go.sum database tree")
    parse_vkey(GO_DATABASE_KEY).check(line.signature, text.encode())


def test_a_head_of_a_running_log_verifies() -> None:
    assert open_checkpoint(ARCHE, parse_vkey(ARCHE_KEY)).size == 1432088532


@given(CHECKPOINTS)
def test_checkpoints_round_trip(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(checkpoint.text()) == checkpoint


def test_what_is_signed_is_opened() -> None:
    checkpoint = Checkpoint(ORIGIN, 1, ROOT, ("an extension",))
    assert open_checkpoint(sign_checkpoint(checkpoint, secret(ORIGIN)).format(), log_key()) == checkpoint


def test_the_empty_log_has_one_root() -> None:
    assert parse_checkpoint(Checkpoint(ORIGIN, 0, SHA256_TREE.root([])).text()).size == 0
    with pytest.raises(InvalidCheckpoint, match="empty log"):
        Checkpoint(ORIGIN, 0, ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        f"origin\n1\n{ROOT_TEXT}",
        f"origin\n1\n{ROOT_TEXT}\n\n",
        f"origin\n1\n{ROOT_TEXT}\n\nextension\n",
        f"\n1\n{ROOT_TEXT}\n",
        f"origin\n\n{ROOT_TEXT}\n",
        f"origin\r\n1\r\n{ROOT_TEXT}\r\n",
        f"ori\tgin\n1\n{ROOT_TEXT}\n",
        f"origin\n1 \n{ROOT_TEXT}\n",
        f"origin\n1\n {ROOT_TEXT}\n",
        "origin\n1\n" + "00" * 32 + "\n",
    ],
)
def test_malformed_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidCheckpoint):
        parse_checkpoint(text)


@pytest.mark.parametrize("size", ["01", "-1", "+1", "0x1", "1e3", "1_000", str(2**63), "9" * 4301])
def test_other_sizes_are_refused(size: str) -> None:
    with pytest.raises(InvalidCheckpoint, match="decimal"):
        parse_checkpoint(f"origin\n{size}\n{ROOT_TEXT}\n")


def test_a_root_in_other_base64_is_refused() -> None:
    with pytest.raises(InvalidCheckpoint, match="only base64"):
        parse_checkpoint(f"origin\n1\n{ROOT_TEXT[:-2]}J=\n")


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1])
def test_sizes_out_of_range_are_not_written(size: int) -> None:
    with pytest.raises(InvalidCheckpoint):
        Checkpoint(ORIGIN, size, ROOT)


def test_a_head_of_another_log_is_refused() -> None:
    signed = sign_checkpoint(Checkpoint(ORIGIN, 1, ROOT), secret(ORIGIN))
    other = SignedNote(signed.text.replace(ORIGIN, "log.example/two"), signed.signatures)
    with pytest.raises(BadLogSignature):
        open_checkpoint(other.format(), log_key())
    with pytest.raises(NoteNotSigned):
        open_checkpoint(signed.format(), log_key("log.example/two"))


def test_a_key_signs_only_for_its_own_origin() -> None:
    text = Checkpoint("log.example/two", 1, ROOT).text()
    with pytest.raises(InvalidCheckpoint, match="signed by the key"):
        open_checkpoint(sign_note(text, ORIGIN, secret(ORIGIN)).format(), log_key())


def test_a_signed_text_that_is_no_head_is_refused() -> None:
    with pytest.raises(InvalidCheckpoint):
        open_checkpoint(sign_note("hello\n", ORIGIN, secret(ORIGIN)).format(), log_key())
    with pytest.raises(InvalidNote):
        open_checkpoint(b"hello\n", log_key())


def test_an_origin_that_no_key_can_bear_is_not_signed() -> None:
    with pytest.raises(InvalidLogKey):
        sign_checkpoint(Checkpoint("two words", 1, ROOT), secret(ORIGIN))
