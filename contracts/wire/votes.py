"""Proposals, votes, delegations and decisions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.wire.fields import (
    Address,
    Amount,
    BlockNumber,
    Count,
    Digest,
    Duration,
    Flag,
    Octets,
    Part,
    Seconds,
    Text,
    Wei,
    unit,
)
from contracts.wire.states import BallotState

ProposalName = Annotated[
    str, Field(pattern=r"^[0-9]{1,78}$", examples=["8310972349871"], json_schema_extra=unit("uint256, decimal"))
]
"""The id that the Governor computes of calls and text."""
State = Annotated[str, Field(examples=["active"])]
"""The Governor's, and `relaying` and `ended` beside."""
Support = Annotated[int, Field(ge=0, le=2, examples=[1], json_schema_extra=unit("0 against, 1 for, 2 abstain"))]


class VoteCounts(Part):
    """Votes by what they say."""

    against: Amount = Field(description="Votes against.")
    in_favour: Amount = Field(validation_alias="for", serialization_alias="for", description="Votes for it.")
    abstain: Amount = Field(description="Votes of holders who abstain.")


class _AnyProposal(Part):
    """What a proposal has in a list and by itself."""

    id: ProposalName = Field(description="The Governor's id of it.")
    proposer: Annotated[str, Field(examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"])] = Field(
        description="Who proposed it."
    )
    block: BlockNumber | None = Field(description="The block in which it was made; null while it is on its way.")
    snapshot: Seconds | None = Field(description="When votes are weighed.")
    deadline: Seconds | None = Field(description="When voting ends.")
    eta: Seconds | None = Field(description="When it can be executed; null before it is queued.")
    over: Flag = Field(description="Whether nothing can become of it any more.")
    counts: VoteCounts = Field(description="Votes, as this server weighed them.")
    votes: Count = Field(description="How many votes were weighed.")
    description: Text = Field(description="Its text; in a list the beginning of it.")
    description_length: Count = Field(description="Characters of the text.")
    call_count: Count = Field(description="Calls that it makes.")
    state: State = Field(description="Where it rests.")


class ProposalLine(_AnyProposal):
    """A proposal among others: at most 4 kB, whatever its proposer wrote."""

    first_call: Text = Field(description="The beginning of its first call, in words.")


class ProposalCall(Part):
    """One call that the timelock makes."""

    target: Address = Field(description="The contract.")
    value: Wei = Field(description="What is sent with it.")
    data: Octets = Field(description="The call's bytes.")
    words: Text = Field(description="The same in words, by the server's word.")


class Proposal(_AnyProposal):
    """One proposal with all that its id is the hash of: whoever reads it recomputes the id."""

    description_hash: Digest = Field(description="keccak256 of the text.")
    calls: list[ProposalCall] = Field(description="What the timelock makes.")
    now: Seconds = Field(description="The chain's time.")
    quorum: Amount | None = Field(description="Votes that it needs; null before the snapshot.")
    grace: Duration = Field(description="For how long it can be queued, and then executed.")
    extension: Duration = Field(description="For how long a vote goes on after a quorum that was reached late.")


class Tally(Part):
    """Both counts of a vote at the same final block."""

    api: VoteCounts = Field(description="This server's own count.")
    governor: VoteCounts = Field(description="The Governor's.")
    votes: Count = Field(description="Votes that this server weighed.")
    unweighed: Count = Field(description="Votes that are credited, and not in this server's count yet.")
    block: BlockNumber | None = Field(description="The block of both; null where the node has no state of it.")


class VoteLine(Part):
    """One vote."""

    voter: Address = Field(description="Who voted.")
    support: Support = Field(description="What it says.")
    weight: Amount | None = Field(description="The voter's votes at the snapshot; null until looked up.")
    block: BlockNumber = Field(description="Its block.")
    log_index: Count = Field(description="Its place among the block's events.")


class QueuedProposal(Part):
    """A signed proposal that the relayer took."""

    proposal: ProposalName = Field(description="The id that it will have.")


class TakenBallot(Part):
    """A signed vote that the relayer took."""

    voter: Address = Field(description="Who voted.")
    ballot: BallotState = Field(
        strict=False,
        description="Of the same vote again: whether it is on its way, or counted.",
        examples=["taken"],
    )


class Delegations(Part):
    """Whom an account lends its votes, and who lends it theirs."""

    account: Address = Field(description="The account.")
    to: Address | None = Field(description="Whom it lends its votes; null where it never did.")
    lenders: list[Address] = Field(description="A page of those who lend it theirs, by address.")


class RunTook(Part):
    """What one run made of a decision."""

    run: Digest = Field(description="The run.")
    applied: Flag = Field(description="Whether it obeys.")
    detail: Text = Field(description="Why it does not; empty where it does.")


class Decision(Part):
    """What holders decided, by the chain."""

    sequence: Count = Field(description="Its number, in the order of the chain.")
    key: Text = Field(description="What it decides.")
    value: Text = Field(description="Its value.")
    block: BlockNumber = Field(description="Its block.")
    taken: list[RunTook] = Field(description="What each run made of it.")
