"""Names of states, in a server's database and in its answers."""

from __future__ import annotations

from enum import StrEnum


class CallState(StrEnum):
    """State of a call of the relayer. The transitions are drawn in ledger/relay/call_state.py."""

    QUEUED = "queued"
    """The call has no nonce yet."""
    SIGNED = "signed"
    """The call has a nonce and a signed transaction, and is in no block."""
    MINED = "mined"
    """The call succeeded in a block that is not final yet."""
    REVERTED = "reverted"
    """The call failed in a block that is not final yet, or another transaction used its nonce there."""
    FINAL = "final"
    """The call succeeded in a final block."""
    FAILED = "failed"
    """The call failed in a final block, and is tried again."""
    REFUSED = "refused"
    """The contract would refuse the call now. The call is tried again, and a new request may replace it."""
    DEAD = "dead"
    """The call is dead-lettered with its last error, until an operator requeues it."""


class EpochStage(StrEnum):
    """State of an epoch on the chain. A server shows `final` only after the log has the event."""

    CLOSED = "closed"
    """The chain has no root of the epoch."""
    PROPOSED = "proposed"
    DISPUTED = "disputed"
    FINAL = "final"


class ProofState(StrEnum):
    """Result of a proof, and so whether its work is paid."""

    PENDING = "pending"
    OUT = "out"
    """Fewer than k verifiers held the proof's gradient at the close of the round."""
    POSTED = "posted"
    VOIDED = "voided"
    UNDECIDED = "undecided"


class TransferEnd(StrEnum):
    """End of a pending transfer in the journal."""

    POSTED = "posted"
    VOIDED = "voided"


class RoundPhase(StrEnum):
    """Phase of a round."""

    TRAINING = "training"
    VERIFYING = "verifying"
    MERGING = "merging"
    CLOSED = "closed"


class RunPhase(StrEnum):
    """Phase of a run."""

    ENROLLING = "enrolling"
    TRAINING = "training"
    """A round is open or is being verified and merged."""
    BETWEEN_ROUNDS = "between-rounds"
    OVER = "over"


class ProofStage(StrEnum):
    """Stage of a proof's verification."""

    COMMITTED = "committed"
    READING = "reading"
    SPARED = "spared"
    """The proof is outside the sample, and nobody reads it (a skipped audit)."""
    BENCH = "bench"
    """A segment is questioned, and all verifiers of the round read it."""
    SPOKEN = "spoken"
    """All verdicts are in; the node's pledge is due."""
    VOID = "void"
    """The proof is voided; the node's pledge is due."""
    ENDED = "ended"
    POSTED = "posted"


class MintState(StrEnum):
    """State of a payout line's mint."""

    FINAL = "final"
    MINED = "mined"
    """The mint is in a block that a reorg may still undo."""


class BallotState(StrEnum):
    """State of a ballot that a server was sent."""

    TAKEN = "taken"
    WAITING = "waiting"
    """The same vote was sent before, and is pending."""
    COUNTED = "counted"
    """The same vote was sent before, and the Governor has counted it."""


class ProposalPhase(StrEnum):
    """State of a proposal: the Governor's states by their names, and two more of the server (relaying, ended)."""

    RELAYING = "relaying"
    """The proposal is signed, and its transaction is pending."""
    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"
    """Voting is over, and the server's keeper has not read the result yet."""
    CANCELED = "canceled"
    DEFEATED = "defeated"
    SUCCEEDED = "succeeded"
    QUEUED = "queued"
    EXPIRED = "expired"
    EXECUTED = "executed"
