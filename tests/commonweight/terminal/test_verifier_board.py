from __future__ import annotations

import io

import pytest
from rich.console import Console

from commonweight.terminal.verifier_board import LiveBoard, showing
from contracts.ids import ProofId, as_address
from verifier.duties.progress import VerifierProgress

pytestmark = pytest.mark.unit
PROOF = ProofId("0x" + "ab" * 32)


def drawn(board: LiveBoard) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(board.render())
    return out.getvalue()


def test_a_proof_is_one_row_with_its_error_and_limit() -> None:
    """From draw to verdict."""
    board = LiveBoard(Console(file=io.StringIO()))
    board(VerifierProgress("drawn", 2, as_address("0x" + "11" * 20), PROOF, "segments [1, 4]"))
    board(VerifierProgress("verdict", 2, as_address("0x" + "11" * 20), PROOF, "reject segment 4", 2, 0.5, 0.001))
    shown = drawn(board)
    assert shown.count(PROOF[:12]) == 1
    for text in ("segments [1, 4]", "reject segment 4", "0.5", "0.001", "2 segments checked"):
        assert text in shown


def test_a_line_about_no_proof_stands_below_the_board() -> None:
    """And only a board is kept on the screen."""
    board = LiveBoard(Console(file=io.StringIO()))
    board(VerifierProgress("trouble", detail="api-unreachable"))
    assert "trouble api-unreachable" in drawn(board)
    with showing(board):
        assert board.live.is_started
    assert not board.live.is_started
    with showing(print):
        pass
