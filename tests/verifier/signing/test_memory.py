"""What was said stands: no restart and no second process says another class of word (J10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.ids import ProofId
from contracts.protocol.judge.facts import Word
from tests.holds import Threat, holds
from verifier.signing.memory import Memory

pytestmark = pytest.mark.unit

PROOF, OTHER = ProofId("0x" + "1" * 64), ProofId("0x" + "2" * 64)
ROOT = b"\3" * 32


@holds(
    "A verifier never signs two contradicting verdicts, whatever ends its process",
    by="verifier/signing/memory.py:Memory",
    against=Threat.BAD_VERIFIER,
)
def test_a_word_is_never_another_one(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "said.db")
    for first, others in ((Word.TRUE, (Word.FALSE, Word.UNSERVED)), (Word.FALSE, (Word.TRUE, Word.DRIFT))):
        assert memory.word(PROOF, ROOT, len(first), first)
        again = Memory(tmp_path / "said.db")
        assert again.word(PROOF, ROOT, len(first), first), "the same word may be sent again"
        assert not any(again.word(PROOF, ROOT, len(first), word) for word in others)


def test_a_word_of_a_fork_binds_on_no_other_log(tmp_path: Path) -> None:
    """Two words of different roots never count together; before, who went over from a fork was mute."""
    memory = Memory(tmp_path / "said.db")
    assert memory.word(PROOF, b"\4" * 32, 1, Word.FALSE)
    assert memory.word(PROOF, ROOT, 1, Word.TRUE)
    assert not memory.word(PROOF, b"\4" * 32, 1, Word.TRUE)


def test_unserved_is_replaced_once(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "said.db")
    assert memory.word(PROOF, ROOT, 1, Word.UNSERVED)
    assert memory.word(PROOF, ROOT, 1, Word.TRUE)
    assert not memory.word(PROOF, ROOT, 1, Word.FALSE)
    assert not memory.word(PROOF, ROOT, 1, Word.UNSERVED)
    assert memory.spoken(PROOF, ROOT, 1) is Word.TRUE
    assert memory.spoken(PROOF, ROOT, 2) is None


def test_two_processes_over_one_folder_say_one_word(tmp_path: Path) -> None:
    one, two = Memory(tmp_path / "said.db"), Memory(tmp_path / "said.db")
    said = [one.word(PROOF, ROOT, 3, Word.TRUE), two.word(PROOF, ROOT, 3, Word.FALSE)]
    assert said == [True, False]
    assert one.once("name", "first") == two.once("name", "second") == "first"


def test_bounds_are_the_first_ones_and_go_with_their_round(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "said.db")
    assert memory.bound("0xrun/1/0xnode/5", 10.0) == 10.0
    assert memory.bound("0xrun/1/0xnode/5", 99.0) == 10.0
    memory.word(OTHER, ROOT, 1, Word.TRUE)
    for proof in (PROOF, OTHER):
        memory.once(f"proof/{proof}/trace", "0x01")
    memory.once("epoch/1", "0x02")
    memory.keep({PROOF}, {"0xrun/2"})
    assert memory.bound("0xrun/1/0xnode/5", 99.0) == 99.0
    assert memory.said(f"proof/{PROOF}/trace") == "0x01"
    assert memory.said(f"proof/{OTHER}/trace") is None
    assert memory.said("epoch/1") == "0x02"
    assert memory.spoken(OTHER, ROOT, 1) is None
