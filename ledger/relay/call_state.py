"""The state machine of an outgoing call: each transition by its name, and nowhere else.

    queued  ──┐                    ┌── mark_mined ────▶ mined ───── mark_final ──▶ final
    refused ──┼── mark_signed ──▶ signed
    failed  ──┘                    └── mark_reverted ─▶ reverted ── mark_failed ─▶ failed

    signed  ◀── mark_unmined ── mined, reverted            a reorg took the block: the same bytes go out again
    queued  ◀── mark_outrun ─── signed                     an external transaction used its nonce
    refused ◀── mark_refused ── queued, refused, failed    the contract would refuse the call now
    dead    ◀── mark_refused, mark_failed                  instead of refused and failed: no try is left
    queued  ◀── requeue ─────── refused, failed, dead      the call gets all its tries again

`mark_mined` and `mark_reverted` also take a call that is mined or reverted: a reorg may move it to another block.
`mark_attempt`, `mark_sent` and `postpone` keep the state. A transition from any other state raises WrongCallState and
changes nothing. The caller holds the row's lock and gives the time in Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.wire.states import CallState
from ledger.errors import WrongCallState
from ledger.relay_rules import RelayRules
from ledger.storage.tables import Outgoing

TO_SIGN = (CallState.QUEUED, CallState.REFUSED, CallState.FAILED)
"""States from which a call is signed, once it is due."""
IN_BLOCK = (CallState.MINED, CallState.REVERTED)
"""States of a call in a block that may not be final."""
WATCHED = (CallState.SIGNED, *IN_BLOCK)
"""States of a call whose next state the chain decides."""
ABANDONED = (CallState.REFUSED, CallState.DEAD)
"""States in which another call may take the same id."""
TO_RETRY = (*ABANDONED, CallState.FAILED)
"""States in which `requeue` gives a call all its tries again."""
NOT_FINAL = (
    CallState.QUEUED,
    CallState.SIGNED,
    CallState.MINED,
    CallState.REVERTED,
    CallState.FAILED,
    CallState.REFUSED,
    CallState.DEAD,
)
ALIVE = tuple(state for state in NOT_FINAL if state is not CallState.DEAD)
"""States from which a call may still become final without `requeue`."""


@dataclass(frozen=True)
class Inclusion:
    """The transaction `hash` in block `block`, whose hash is `block_hash` (0x hex)."""

    hash: str
    block: int
    block_hash: str


def mark_signed(row: Outgoing, signer: str, nonce: int) -> None:
    """The call has a nonce of `signer`; `mark_attempt` gives it a hash."""
    _require(row, *TO_SIGN)
    row.state = CallState.SIGNED
    row.signer = signer
    row.nonce = nonce
    row.error = None
    _leave_block(row)


def mark_attempt(row: Outgoing, transaction: str) -> None:
    """Bytes of hash `transaction` were signed for the call at its nonce; no node has them yet."""
    _require(row, CallState.SIGNED)
    row.hash = transaction
    row.sent = 0


def mark_sent(row: Outgoing, now: int, *, refused: bool) -> None:
    """A node was handed the call's bytes; a refusal costs a try."""
    _require(row, CallState.SIGNED)
    row.sent = now
    row.tries += refused


def mark_mined(row: Outgoing, inclusion: Inclusion) -> None:
    """The call succeeded in this block."""
    _enter_block(row, CallState.MINED, inclusion)


def mark_reverted(row: Outgoing, inclusion: Inclusion) -> None:
    """The call failed in this block, or its block has the attempt that only used the nonce up."""
    _enter_block(row, CallState.REVERTED, inclusion)


def mark_unmined(row: Outgoing, newest: str) -> None:
    """A reorg took the call's block: `newest`, the hash of its newest attempt, is to be sent again."""
    _require(row, *IN_BLOCK)
    row.state = CallState.SIGNED
    mark_attempt(row, newest)
    _leave_block(row)


def mark_outrun(row: Outgoing, why: str) -> None:
    """A final block has an external transaction of the call's nonce: due at once, and no try is counted."""
    _require(row, CallState.SIGNED)
    row.state = CallState.QUEUED
    row.due = 0
    row.error = why
    _drop_nonce(row)


def mark_final(row: Outgoing, rules: RelayRules, now: int) -> None:
    """The call succeeded, and its block is final."""
    _require(row, CallState.MINED)
    row.state = CallState.FINAL
    row.error = None
    row.due = now + rules.pause(row.tries)


def mark_failed(row: Outgoing, why: str | None, rules: RelayRules, now: int, *, is_last: bool) -> None:
    """The call failed in a final block: tried again after a pause, unless `is_last` or no try is left."""
    _require(row, CallState.REVERTED)
    _spend_try(row, CallState.FAILED, why, rules, now)
    if is_last:
        row.state = CallState.DEAD


def mark_refused(row: Outgoing, why: str, rules: RelayRules, now: int) -> None:
    """The contract would refuse the call now. That may pass (a pause, a race): tried again while a try is left."""
    _require(row, *TO_SIGN)
    _drop_nonce(row)
    _spend_try(row, CallState.REFUSED, why, rules, now)


def requeue(row: Outgoing) -> None:
    """Give a call all its tries again, from now on; its last error is shown until it is signed."""
    _require(row, *TO_RETRY)
    row.state = CallState.QUEUED
    row.tries = 0
    row.due = 0
    _drop_nonce(row)
    _leave_block(row)


def postpone(row: Outgoing, why: str, due: int) -> None:
    """The call waits for something that is no fault of its own: no try is counted, and the state stays."""
    row.error = why
    row.due = due


def _spend_try(row: Outgoing, waiting: CallState, why: str | None, rules: RelayRules, now: int) -> None:
    row.tries += 1
    row.state = CallState.DEAD if row.tries >= rules.attempts else waiting
    row.error = why
    row.due = now + rules.pause(row.tries)


def _enter_block(row: Outgoing, state: CallState, inclusion: Inclusion) -> None:
    _require(row, *WATCHED)
    row.state = state
    row.hash = inclusion.hash
    row.block = inclusion.block
    row.block_hash = inclusion.block_hash


def _leave_block(row: Outgoing) -> None:
    row.block = None
    row.block_hash = None


def _drop_nonce(row: Outgoing) -> None:
    row.nonce = None
    row.hash = None


def _require(row: Outgoing, *states: CallState) -> None:
    if row.state not in states:
        raise WrongCallState(f"{row.id} is {row.state}; this needs one that is {' or '.join(states)}")
