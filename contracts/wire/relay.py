"""The relayer: its calls, and the budget from which it pays for accounts."""

from __future__ import annotations

from pydantic import Field

from contracts.wire.fields import BlockNumber, Count, Digest, Gas, Name, Part, Ppm, Seconds, Text
from contracts.wire.states import CallState


class Transaction(Part):
    """A call of the relayer. A fee bump signs another transaction for the same call, and any of them may be mined."""

    id: Name = Field(description="Id of the call.")
    order: Count = Field(description="Number of the call in the order in which calls were queued.")
    state: CallState = Field(
        strict=False, description="State of the call, from queued to final or dead.", examples=["mined"]
    )
    nonce: Count | None = Field(description="Nonce of the relayer's account; null before the call is signed.")
    hash: Digest | None = Field(
        description="Hash of the transaction that is mined, or else of the newest one; null before the call is signed."
    )
    block: BlockNumber | None = Field(description="Block that has the transaction; null while it is in none.")
    error: Text | None = Field(description="Last error of the call; null if it had none.")
    tries: Count = Field(description="Number of failed tries since the call was queued or requeued.")
    hashes: list[Digest] = Field(description="Hashes of all transactions that were signed for the call.")


class RelayBudget(Part):
    """The rules by which the relayer pays for an account's call, and what is left of its budget today."""

    proposal_ppm: Ppm = Field(
        description="Share of all votes that an account needs for a proposal, in parts per million."
    )
    ballot_ppm: Ppm = Field(description="Share of all votes that an account needs for a ballot, in parts per million.")
    gas_left: Gas = Field(description="Gas that is left today for the account.")
    gas_left_everybody: Gas = Field(description="Gas that is left today for all accounts together.")
    gas_a_day: Gas = Field(description="Gas for the account per day.")
    gas_a_day_everybody: Gas = Field(description="Gas for all accounts together per day.")
    share_ppm: Ppm = Field(description="The account's share of all votes, in parts per million.")
    weighed_at: Seconds = Field(description="Second at which votes are weighed for today's budget, as Unix time.")
