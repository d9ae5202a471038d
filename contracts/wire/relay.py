"""The relayer: its calls, and for whom it pays."""

from __future__ import annotations

from pydantic import Field

from contracts.wire.fields import BlockNumber, Count, Digest, Gas, Name, Part, Ppm, Seconds, Text
from contracts.wire.states import CallState


class Transaction(Part):
    """A call of the relayer. Any of its hashes may be the one that is mined."""

    id: Name = Field(description="Its id.")
    order: Count = Field(description="Its place among all of them.")
    state: CallState = Field(strict=False, description="Where it rests.", examples=["mined"])
    nonce: Count | None = Field(description="The relayer's nonce; null before it is signed.")
    hash: Digest | None = Field(description="The hash that is mined, or else the newest.")
    block: BlockNumber | None = Field(description="The block that has it.")
    error: Text | None = Field(description="What went wrong last.")
    tries: Count = Field(description="How often something did.")
    hashes: list[Digest] = Field(description="Every hash that was signed for it.")


class RelayBudget(Part):
    """For whom the relayer pays, and by what the next call of an account is judged today."""

    proposal_ppm: Ppm = Field(description="The share of all votes that a proposal takes.")
    ballot_ppm: Ppm = Field(description="The share of all votes that a ballot takes.")
    gas_left: Gas = Field(description="Gas that is left today for the account.")
    gas_left_everybody: Gas = Field(description="Gas that is left today for all.")
    gas_a_day: Gas = Field(description="Gas that the account has on a day.")
    gas_a_day_everybody: Gas = Field(description="Gas that all have on a day.")
    share_ppm: Ppm = Field(description="The account's share of all votes.")
    weighed_at: Seconds = Field(description="The second at which today is weighed.")
