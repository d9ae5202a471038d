"""A summary as a demo of two rounds makes it."""

from __future__ import annotations

from typing import Any

from commonweight.demo.outcome import (
    ChainOutcome,
    EpochOutcome,
    NodeOutcome,
    RoundOutcome,
    Summary,
    VerdictOutcome,
    VerdictWord,
)
from contracts.wire.relay import Transaction
from contracts.wire.states import CallState, EpochStage, ProofState
from contracts.wire.votes import Decision, Tally, VoteCounts

UNITS = {"ada": 600_000 * 10**18 + 1, "ben": 400_000 * 10**18 - 1, "cal": 0}
SUPPLY, ROOT, MINED = str(10**24), "0x" + "ef" * 32, "0x" + "fe" * 32


def summary(**changes: Any) -> Summary:
    """Valid; `changes` replace its parts."""
    parts = {
        "run": "0x" + "ab" * 32,
        "seed": 7,
        "seconds": 201.4,
        "nodes": [_node(name, units) for name, units in UNITS.items()],
        "rounds": [_round(1, 3.1, "0.001"), _round(2, 2.7, "0.0005")],
        "verdicts": [_verdict("ada", "posted", None, 2e-7), _verdict("cal", "voided", "update-out-of-bounds", 0.61)],
        "baselines": {"solo": [4.0, 3.4, 3.0], "data-parallel": [4.0, 3.0, 2.6]},
        "epoch": _epoch(),
        "chain": _chain(),
        "tally": _tally(),
        "decisions": [Decision(sequence=0, key="inner_lr", value="0.0005", block=8, taken=[])],
        "transactions": [_transaction()],
        "checks": {"every wallet holds what the ledger paid it": True, "the cheat holds nothing": True},
    }
    return Summary(**{**parts, **changes})


def _epoch() -> EpochOutcome:
    return EpochOutcome(
        epoch=1, root=ROOT, total=SUPPLY, count=2, state=EpochStage.FINAL, log_size=99, log_root="0x" + "cd" * 32
    )


def _chain() -> ChainOutcome:
    balances = {name: str(units) for name, units in UNITS.items()}
    return ChainOutcome(supply=SUPPLY, balances=balances, epoch_root=ROOT, epoch_total=SUPPLY, epoch_final=True)


def _tally() -> Tally:
    counts = VoteCounts(against="0", in_favour=SUPPLY, abstain="0")
    return Tally(api=counts, governor=counts, votes=2, unweighed=0, block=7)


def _transaction() -> Transaction:
    return Transaction(
        id="anchor:1",
        order=1,
        state=CallState.MINED,
        nonce=3,
        hash=MINED,
        block=9,
        error="",
        tries=0,
        hashes=[MINED],
    )


def _node(name: str, units: int) -> NodeOutcome:
    caught = name == "cal"
    return NodeOutcome(
        name=name,
        address="0x" + "11" * 20,
        claimed_steps=80,
        verified_steps=0 if caught else 80,
        voided_steps=80 * caught,
        reasons=["update-out-of-bounds"] if caught else [],
        units=str(units),
        share_percent=round(units / 10**22, 4),
    )


def _round(number: int, loss: float, lr: str) -> RoundOutcome:
    return RoundOutcome(
        round=number,
        config_digest=f"0x{number:02x}" + "cd" * 31,
        inner_lr=lr,
        nodes=["ada", "ben", "cal"],
        lapsed=["ben"] if number == 2 else [],
        theta=f"0x{number:02x}" + "aa" * 31,
        held_out_loss=loss,
    )


def _verdict(node: str, state: str, reason: str | None, error: float) -> VerdictOutcome:
    word = "true" if state == "posted" else "false"
    return VerdictOutcome(
        round=1,
        node=node,
        state=ProofState(state),
        reason=reason,
        error=error,
        limit=2.5e-5,
        draws={"vera": [1, 4], "vito": [0, 7]},
        bench=[1],
        decided={"1": state == "posted"},
        words=[VerdictWord(verifier="vera", segment=1, word=word, error=error, limit=2.5e-5)],
        proof="0x" + "dd" * 32,
    )
