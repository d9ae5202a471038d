"""States by name, as a server stores them and answers them."""

from __future__ import annotations

from enum import StrEnum


class CallState(StrEnum):
    """Where a call of the relayer stands. The transitions are drawn in ledger/relay/call_state.py."""

    QUEUED = "queued"
    """It has no nonce yet."""
    SIGNED = "signed"
    """It has a nonce and bytes, and is in no block."""
    MINED = "mined"
    """A block that is not final has it, and it succeeded."""
    REVERTED = "reverted"
    """A block that is not final has it, and it failed, or a transaction that only used its nonce up."""
    FINAL = "final"
    """Done: its block is final."""
    FAILED = "failed"
    """It failed in a final block, and is tried again."""
    REFUSED = "refused"
    """The contract would refuse it now; it is tried again, and what asks for it anew may replace it."""
    DEAD = "dead"
    """Abandoned, with its last error, until somebody gives it all its tries again."""


class EpochStage(StrEnum):
    """What the chain has of an epoch; an entry of the log alone makes it final."""

    CLOSED = "closed"
    """It has no root of it."""
    PROPOSED = "proposed"
    DISPUTED = "disputed"
    FINAL = "final"


class ProofState(StrEnum):
    """What became of a proof's work."""

    PENDING = "pending"
    OUT = "out"
    """Fewer than k verifiers held its gradient when the round closed."""
    POSTED = "posted"
    VOIDED = "voided"
    UNDECIDED = "undecided"


class TransferEnd(StrEnum):
    """How a pending transfer of the journal ends."""

    POSTED = "posted"
    VOIDED = "voided"


class RoundPhase(StrEnum):
    """What a round does now."""

    TRAINING = "training"
    VERIFYING = "verifying"
    MERGING = "merging"
    CLOSED = "closed"


class RunPhase(StrEnum):
    """What a run does now."""

    ENROLLING = "enrolling"
    TRAINING = "training"
    """From the opening of a round until it is merged."""
    BETWEEN_ROUNDS = "between-rounds"
    OVER = "over"


class ProofStage(StrEnum):
    """How far the checking of a proof has come."""

    COMMITTED = "committed"
    READING = "reading"
    SPARED = "spared"
    """The audit's coin passed it over."""
    BENCH = "bench"
    """A segment is in question: all verifiers of the round read it."""
    SPOKEN = "spoken"
    """Read; the node's pledge is due."""
    VOID = "void"
    """Found void; the node's pledge is due."""
    ENDED = "ended"
    POSTED = "posted"


class MintState(StrEnum):
    """Where the mint of a line stands."""

    FINAL = "final"
    MINED = "mined"
    """In a block that a reorg may still take back."""


class BallotState(StrEnum):
    """What became of a vote that was handed in."""

    TAKEN = "taken"
    WAITING = "waiting"
    """The same vote again: the first is on its way."""
    COUNTED = "counted"
    """The same vote again: the Governor has the first."""


class ProposalPhase(StrEnum):
    """Where a proposal stands: the Governor's states by their names, and two more that a server has."""

    RELAYING = "relaying"
    """Signed, and on its way to the chain."""
    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"
    """The vote is over, and the keeper has not read its result yet."""
    CANCELED = "canceled"
    DEFEATED = "defeated"
    SUCCEEDED = "succeeded"
    QUEUED = "queued"
    EXPIRED = "expired"
    EXECUTED = "executed"
