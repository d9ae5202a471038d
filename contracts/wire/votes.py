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
"""Id of a proposal, which the Governor computes from the calls and the text."""
State = Annotated[str, Field(examples=["active"])]
"""State of a proposal: a state of the Governor, or `relaying` or `ended`."""
Support = Annotated[int, Field(ge=0, le=2, examples=[1], json_schema_extra=unit("0 against, 1 for, 2 abstain"))]


class VoteCounts(Part):
    """The votes on a proposal, counted by answer, in 1e-18 tokens."""

    against: Amount = Field(description="Votes against the proposal, in 1e-18 tokens.")
    in_favour: Amount = Field(
        validation_alias="for", serialization_alias="for", description="Votes for the proposal, in 1e-18 tokens."
    )
    abstain: Amount = Field(description="Votes that abstain, in 1e-18 tokens.")


class _AnyProposal(Part):
    """The fields that a proposal has in a list and in its own document."""

    id: ProposalName = Field(description="Id of the proposal in the Governor.")
    proposer: Annotated[str, Field(examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"])] = Field(
        description="Address of the proposer."
    )
    block: BlockNumber | None = Field(description="Block in which the proposal was made; null before it is in a block.")
    snapshot: Seconds | None = Field(
        description="Second at which votes are weighed, as Unix time; null before the proposal is in a block."
    )
    deadline: Seconds | None = Field(
        description="Second at which voting ends, as Unix time; null before the proposal is in a block."
    )
    eta: Seconds | None = Field(
        description="Second from which the proposal can be executed, as Unix time; null before it is queued."
    )
    over: Flag = Field(
        description="Whether the proposal has reached its last state: nothing can become of it any more."
    )
    counts: VoteCounts = Field(description="Votes as this server counted them.")
    votes: Count = Field(description="Number of ballots in these counts.")
    description: Text = Field(description="Text of the proposal; in a list only its beginning.")
    description_length: Count = Field(description="Length of the whole text, in characters.")
    call_count: Count = Field(description="Number of calls that the proposal makes.")
    state: State = Field(
        description="State of the proposal: a state of the Governor, relaying, or ended (the result is not read yet)."
    )


class ProposalLine(_AnyProposal):
    """One proposal in a list, 4 kB at most, however long its text is."""

    first_call: Text = Field(description="Beginning of the proposal's first call, in words.")


class ProposalCall(Part):
    """One call that the timelock makes if the proposal passes."""

    target: Address = Field(description="Address of the contract that is called.")
    value: Wei = Field(description="Amount that is sent with the call, in wei.")
    data: Octets = Field(description="Bytes of the call (selector and arguments).")
    words: Text = Field(description="The call in words, as this server decodes it.")


class Proposal(_AnyProposal):
    """One proposal with everything from which its id is computed, so that a reader can compute the id again."""

    description_hash: Digest = Field(description="keccak256 of the text.")
    calls: list[ProposalCall] = Field(description="Calls that the timelock makes if the proposal passes.")
    now: Seconds = Field(description="Chain time of the answer, as Unix seconds.")
    quorum: Amount | None = Field(
        description="Votes that the proposal needs, in 1e-18 tokens; null before the snapshot."
    )
    grace: Duration = Field(description="Seconds in which a passed proposal can be queued, and a queued one executed.")
    extension: Duration = Field(description="Seconds for which voting goes on after a quorum that was reached late.")


class Tally(Part):
    """Two counts of the votes on a proposal at the same final block: this server's and the Governor's."""

    api: VoteCounts = Field(description="Votes as this server counted them.")
    governor: VoteCounts = Field(description="Votes as the Governor counted them.")
    votes: Count = Field(description="Number of ballots that this server counted.")
    unweighed: Count = Field(
        description="Number of ballots that the chain has, and that this server has not counted yet."
    )
    block: BlockNumber | None = Field(
        description="Number of the block of both counts; null if the chain node has no state of it."
    )


class VoteLine(Part):
    """One ballot on a proposal."""

    voter: Address = Field(description="Address of the voter.")
    support: Support = Field(description="The vote: 0 against, 1 for, 2 abstain.")
    weight: Amount | None = Field(
        description="Votes of the voter at the snapshot, in 1e-18 tokens; null before they are looked up."
    )
    block: BlockNumber = Field(description="Number of the block with the ballot.")
    log_index: Count = Field(description="Index of the ballot's event in the block.")


class QueuedProposal(Part):
    """The answer to a signed proposal: the relayer will send it to the chain."""

    proposal: ProposalName = Field(description="Id that the proposal will have.")


class TakenBallot(Part):
    """The answer to a signed vote: the relayer will send it to the chain, or has sent it before."""

    voter: Address = Field(description="Address of the voter.")
    ballot: BallotState = Field(
        strict=False,
        description="State of the ballot: taken; for the same vote again, waiting (pending) or counted.",
        examples=["taken"],
    )


class Delegations(Part):
    """The account that an account lends its votes to, and the accounts that lend it theirs."""

    account: Address = Field(description="Address of the account.")
    to: Address | None = Field(description="Address that the account lends its votes to; null if it never did.")
    lenders: list[Address] = Field(
        description="Addresses that lend their votes to the account: one page, in the order of the addresses."
    )


class RunTook(Part):
    """One run's answer to a decision of the holders: applied, or refused."""

    run: Digest = Field(description="Id of the run.")
    applied: Flag = Field(description="Whether the run applies the decision.")
    detail: Text = Field(description="Reason why the run does not apply the decision; empty if it does.")


class Decision(Part):
    """A decision of the holders, as it was executed on the chain."""

    sequence: Count = Field(description="Number of the decision, in the order of the chain.")
    key: Text = Field(description="Setting that the decision changes.")
    value: Text = Field(description="New value of the setting.")
    block: BlockNumber = Field(description="Number of the block with the decision.")
    taken: list[RunTook] = Field(description="Answer of each run to the decision.")
