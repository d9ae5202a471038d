"""Epochs: what each pays, whose signatures it has; claims and receipts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from contracts.messages.for_contracts import EpochRoot
from contracts.wire.fields import (
    Address,
    Amount,
    Count,
    Digest,
    Entry,
    EpochNumber,
    Flag,
    Name,
    Object,
    Part,
    RoundNumber,
    Seconds,
    SignatureText,
    Text,
    unit,
)
from contracts.wire.message_schema import schema_of
from contracts.wire.states import EpochStage, MintState

LineKind = Annotated[int, Field(ge=0, le=255, examples=[2], json_schema_extra=unit("kind of a payout leaf"))]
"""contracts/protocol/log_audit.py:PayoutKind."""
Path = Annotated[list[Digest], Field(max_length=64)]


class Epoch(Part):
    """A closed epoch, with the signers of its root."""

    epoch: EpochNumber = Field(description="Its number.")
    run: Digest = Field(description="The run that it pays.")
    state: EpochStage = Field(strict=False, description="What the chain has of it.", examples=["final"])
    attempt: Count = Field(description="How many roots of it fell.")
    first_round: RoundNumber = Field(description="The first round that it pays.")
    last_round: RoundNumber = Field(description="The last one.")
    root: Digest = Field(description="Its payout root.")
    total: Amount = Field(description="The sum of its lines.")
    count: Count = Field(description="How many lines it has.")
    log_size: Count = Field(description="Entries of the log that the root was rebuilt from.")
    log_root: Digest = Field(description="The tree head of these.")
    settled_at: Seconds = Field(description="Every round that opened before is settled in that log.")
    deadline: Seconds = Field(description="The last second at which signatures under the root count.")
    ours: Flag | None = Field(description="Whether a final root follows from this log; null before.")
    signatures: list[Address] = Field(description="Verifiers that signed the root.")


class PayoutLine(Part):
    """One line of an epoch."""

    index: Count = Field(description="Its place in the tree.")
    account: Address = Field(description="Who is paid.")
    kind: LineKind = Field(description="What for.")
    amount: Amount = Field(description="How much.")
    leaf: Digest | None = Field(description="Its leaf, the mint's receipt; null before the root is final.")


class Payouts(Part):
    """Some lines of an epoch: those of its final root, or of its newest one until then."""

    payouts: list[PayoutLine] = Field(description="In the tree's order.", max_length=1000)


class ClaimLine(PayoutLine):
    """A line with the proof that the distributor takes."""

    proof: Path = Field(description="The Merkle proof of the leaf.")
    minted: MintState | None = Field(
        strict=False,
        description="Whether it was minted; `mined` in a block that a reorg may still take back.",
        examples=["final"],
    )


class SignedEpoch(Part):
    """A signature under an epoch's root that was taken."""

    epoch: EpochNumber = Field(description="The epoch.")


class QueuedClaims(Part):
    """Calls that mint what was asked for."""

    transactions: list[Name] = Field(description="Their ids, for `/transactions`.")


class PassedOver(Part):
    """What is not claimed."""

    epoch: EpochNumber = Field(description="The epoch.")
    account: Address = Field(description="Whose line it is.")
    index: Count | None = Field(description="The line; null for all of the account.")
    why: Annotated[str, Field(pattern="^[a-z0-9-]+$", examples=["paid"])] = Field(
        description="`paid`, or the code of the refusal."
    )
    detail: Text = Field(description="The same in words.")


class ManyQueuedClaims(QueuedClaims):
    """Calls that mint lines of several epochs, and what none mints."""

    passed_over: list[PassedOver] = Field(description="What is not claimed.")


class QueuedCall(Part):
    """A call that the relayer owes."""

    transaction: Name = Field(description="Its id, for `/transactions`.")


class ReceiptLine(Part):
    """A line of an account, with its proof."""

    index: Count = Field(description="Its place in the tree.")
    kind: LineKind = Field(description="What for.")
    amount: Amount = Field(description="How much.")
    proof: Path = Field(description="The Merkle proof of its leaf.")


class ReceiptParts(Part):
    """What an account's receipt of an epoch is made of; the entries are read from the log."""

    epoch: Annotated[Object, WithJsonSchema(schema_of(EpochRoot))] = Field(
        description="The epoch's root, as verifiers sign it."
    )
    state: EpochStage = Field(strict=False, description="What the chain has of it.", examples=["final"])
    signatures: dict[Address, SignatureText] = Field(description="By verifier: its signature under it.", examples=[{}])
    entries: list[Entry] = Field(min_length=1, description="Entries of the log about the account's work and pay.")
    anchors: list[Entry] = Field(description="Entries by which verifiers bound their keys to themselves.")
    payouts: list[ReceiptLine] = Field(description="The account's lines.")
