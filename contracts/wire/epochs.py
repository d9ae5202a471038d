"""Epochs with their payout lines and signatures; claims and receipts."""

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
"""Kind of a payout line: contracts/protocol/log_audit.py:PayoutKind."""
Path = Annotated[list[Digest], Field(max_length=64)]


class Epoch(Part):
    """A closed epoch, with the verifiers that signed its root."""

    epoch: EpochNumber = Field(description="Number of the epoch, from 1.")
    run: Digest = Field(description="Id of the run whose rounds the epoch pays.")
    state: EpochStage = Field(
        strict=False,
        description="State of the epoch on the chain: closed (no root there), proposed, disputed or final.",
        examples=["final"],
    )
    attempt: Count = Field(
        description="Number of earlier roots of this epoch that fell on the chain; 0 for the first root."
    )
    first_round: RoundNumber = Field(description="First round that the epoch pays.")
    last_round: RoundNumber = Field(description="Last round that the epoch pays.")
    root: Digest = Field(description="Root of the payout tree, which verifiers sign.")
    total: Amount = Field(description="Sum of all payout lines, in 1e-18 tokens.")
    count: Count = Field(description="Number of payout lines.")
    log_size: Count = Field(description="Number of log entries from which the root was computed.")
    log_root: Digest = Field(description="Root of the log tree over these log_size entries.")
    settled_at: Seconds = Field(
        description="Chain time of the settlement: each round that opened before this second is settled in the log."
    )
    deadline: Seconds = Field(description="Last second at which a signature under the root counts, as Unix time.")
    ours: Flag | None = Field(
        description="Whether the final root on the chain follows from this log; null while no root is final."
    )
    signatures: list[Address] = Field(description="Addresses of the verifiers that signed the root.")


class PayoutLine(Part):
    """One payout line of an epoch: an amount for one account."""

    index: Count = Field(description="Position of the line in the payout tree, from 0.")
    account: Address = Field(description="Address of the account that the line pays.")
    kind: LineKind = Field(description="Kind of the contribution that the line pays: 0 compute, 1 code, 3 data.")
    amount: Amount = Field(description="Amount that the line pays, in 1e-18 tokens.")
    leaf: Digest | None = Field(
        description="Leaf of the line in the payout tree, by which the mint is known; null while no root is final."
    )


class Payouts(Part):
    """A page of an epoch's payout lines: those of the final root, or of the newest root while none is final."""

    payouts: list[PayoutLine] = Field(description="Payout lines in the order of the payout tree.", max_length=1000)


class ClaimLine(PayoutLine):
    """A payout line with the Merkle proof that the EpochDistributor contract checks."""

    proof: Path = Field(description="Merkle proof of the leaf: sibling hashes from the leaf to the root.")
    minted: MintState | None = Field(
        strict=False,
        description="State of the mint: final, or mined (in a block that a reorg may still undo); null before.",
        examples=["final"],
    )


class SignedEpoch(Part):
    """The answer to a signature under an epoch's root: the server keeps the signature."""

    epoch: EpochNumber = Field(description="Number of the epoch.")


class QueuedClaims(Part):
    """Calls of the relayer that mint the lines of a request."""

    transactions: list[Name] = Field(description="Ids of these calls; /v1/transactions shows each.")


class PassedOver(Part):
    """A payout line of a request that is not claimed, or all lines of an account, with the reason."""

    epoch: EpochNumber = Field(description="Number of the epoch.")
    account: Address = Field(description="Address of the account that the line pays.")
    index: Count | None = Field(
        description="Position of the line in the payout tree; null if the reason holds for all lines of the account."
    )
    why: Annotated[str, Field(pattern="^[a-z0-9-]+$", examples=["paid"])] = Field(
        description="Code of the reason: paid, or the code of a refusal."
    )
    detail: Text = Field(description="The reason in words.")


class ManyQueuedClaims(QueuedClaims):
    """Calls of the relayer that mint lines of several epochs, and the lines that none of them mints."""

    passed_over: list[PassedOver] = Field(description="Lines that are not claimed, each with the reason.")


class QueuedCall(Part):
    """A call that the relayer took, and will send to the chain."""

    transaction: Name = Field(description="Id of the call; /v1/transactions shows it.")


class ReceiptLine(Part):
    """A payout line of the receipt's account, with its Merkle proof."""

    index: Count = Field(description="Position of the line in the payout tree, from 0.")
    kind: LineKind = Field(description="Kind of the contribution that the line pays: 0 compute, 1 code, 3 data.")
    amount: Amount = Field(description="Amount that the line pays, in 1e-18 tokens.")
    proof: Path = Field(description="Merkle proof of the leaf: sibling hashes from the leaf to the root.")


class ReceiptParts(Part):
    """The parts of an account's receipt for one epoch. The client reads the listed entries from the log."""

    epoch: Annotated[Object, WithJsonSchema(schema_of(EpochRoot))] = Field(
        description="The epoch's root, as verifiers sign it."
    )
    state: EpochStage = Field(
        strict=False,
        description="State of the epoch on the chain: closed (no root there), proposed, disputed or final.",
        examples=["final"],
    )
    signatures: dict[Address, SignatureText] = Field(
        description="Signatures under the root, by the address of the verifier.", examples=[{}]
    )
    entries: list[Entry] = Field(
        min_length=1, description="Indices of the log entries about the account's work and pay."
    )
    anchors: list[Entry] = Field(
        description="Indices of the log entries in which verifiers committed to their secrets and log keys."
    )
    payouts: list[ReceiptLine] = Field(description="Payout lines of the account.")
