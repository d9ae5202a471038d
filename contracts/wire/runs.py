"""Runs for human readers: terms, nodes, decisions, contributions, faults and awaited messages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from contracts.messages.for_log import RunTerms
from contracts.wire.fields import (
    ROUNDS,
    Address,
    Amount,
    Count,
    Digest,
    Entry,
    EpochNumber,
    Flag,
    Hour,
    MicroUsd,
    Object,
    Part,
    RoundNumber,
    Seconds,
    Text,
    Tokens,
    unit,
)
from contracts.wire.message_schema import schema_of
from contracts.wire.states import RunPhase

ConfigText = Annotated[str, Field(max_length=65_535, examples=['{"inner_lr":"0.001","rounds":8}'])]
"""A configuration as JSON: contracts/protocol/run_config.py:RunConfig."""


class RunLine(Part):
    """One run in a list."""

    run: Digest = Field(description="Id of the run: the digest of its signed terms.")
    phase: RunPhase = Field(
        strict=False,
        description="Phase of the run: enrolling, training, between-rounds or over.",
        examples=["training"],
    )
    round: RoundNumber = Field(description="Number of the run's newest round; 0 before the first.")


class Anchor(Part):
    """A verifier that committed to its secrets for a run, by its newest anchor."""

    verifier: Address = Field(description="Address of the verifier.")
    profile: Digest = Field(description="Digest of the numerics profile under which the verifier can judge.")
    first_round: Annotated[int, Field(ge=0, le=2**64 - 1, examples=[2], json_schema_extra=unit(ROUNDS))] = Field(
        description="First round for which the verifier has a secret, as it states it: no rule bounds it from above."
    )
    rounds: Count = Field(description="Number of rounds for which the verifier has a secret.")
    entry: Entry = Field(description="Index of the log entry with the anchor.")


class RunCounts(Part):
    """The lengths of a run's lists, each of which has a route of its own with pages."""

    nodes: Count = Field(description="Number of nodes that ever enrolled.")
    active_nodes: Count = Field(description="Number of nodes that have not left.")
    epochs: Count = Field(description="Number of closed epochs.")
    decisions: Count = Field(description="Number of the holders' decisions that the run applied or refused.")
    contributions: Count = Field(description="Number of credited contributions of code and data.")
    faults: Count = Field(description="Number of faults that verifiers committed in the run.")


class OuterState(Part):
    """The weights and the outer momentum that the next round starts from."""

    theta: Digest = Field(description="Digest of the weights.")
    momentum: Digest = Field(description="Digest of the outer momentum.")
    theta_blob: Digest | None = Field(description="BLAKE3 name of the weights' bytes, 0x-hex; null before a merge.")
    momentum_blob: Digest | None = Field(
        description="BLAKE3 name of the momentum's bytes, 0x-hex; null before a merge."
    )


class Run(Part):
    """One run: its terms, its verifiers, its phase, and the lengths of its lists."""

    run: Digest = Field(description="Id of the run.")
    creator: Address = Field(description="Address of the creator, who signed the terms.")
    manifest: Annotated[Object, WithJsonSchema(schema_of(RunTerms))] = Field(
        description="The terms as the creator signed them. Their digest is the id of the run."
    )
    config: ConfigText = Field(description="Configuration of the newest round, as JSON in a text.")
    phase: RunPhase = Field(
        strict=False,
        description="Phase of the run: enrolling, training, between-rounds or over.",
        examples=["training"],
    )
    round: RoundNumber = Field(description="Number of the run's newest round; 0 before the first.")
    verifiers: list[Anchor] = Field(description="Verifiers that committed to their secrets for the run.")
    last_epoch: EpochNumber | None = Field(description="Number of the newest closed epoch; null before the first.")
    counts: RunCounts = Field(description="Lengths of the run's lists.")
    outer: OuterState = Field(description="Weights and outer momentum that the next round starts from.")


class NodeLine(Part):
    """A node of a run, by its newest enrolment."""

    node: Address = Field(description="Address of the node's key.")
    payout: Address = Field(description="Address that the node's pay goes to.")
    from_round: RoundNumber = Field(description="First round of the newest enrolment.")
    profile: Digest = Field(description="Digest of the numerics profile under which the node computes.")
    active: Flag = Field(description="Whether the node has not left.")
    entry: Entry = Field(description="Index of the log entry with the newest enrolment.")


class ProfileLine(Part):
    """A numerics profile that a run admits: who reads it, and who computes in it."""

    profile: Digest = Field(description="Digest of the numerics profile.")
    name: Annotated[str, Field(examples=["exact"])] = Field(
        description="Arithmetic of the profile: exact, portable or bounded."
    )
    verifiers: list[Address] = Field(description="Verifiers of the run that can judge work of the profile.")
    needed: Count = Field(description="Number of such verifiers that a node of the profile needs: 2k - 1.")
    is_read: Flag = Field(description="Whether nodes of the profile can take part in the next round.")
    nodes: list[Address] = Field(
        description="Nodes that are enrolled under the profile and have not left; 500 at most.", max_length=500
    )
    count: Count = Field(description="Number of all these nodes, listed or not.")


class TakenDecision(Part):
    """A run's answer to a decision of the holders: applied, or refused."""

    sequence: Count = Field(description="Number of the decision, in the order of the chain.")
    applied: Flag = Field(description="Whether the run applies the decision.")
    detail: Text = Field(description="Reason why the run does not apply the decision; empty if it does.")
    entry: Entry = Field(description="Index of the log entry with the answer.")


class InvoiceAssessment(Part):
    """The worth of an invoice."""

    entry: Entry = Field(description="The entry that assesses it.")
    tokens: Tokens = Field(description="Verified tokens of the machine in its hours.")
    median_amount: MicroUsd = Field(description="Others paid so much for `median_tokens`, as the median; 0: none did.")
    median_tokens: Tokens = Field(description="Tokens that the median price is for.")
    earned: MicroUsd = Field(description="Value of what the same work was paid as compute.")
    credited: MicroUsd = Field(description="What is left of the cost: capital, or to be paid back.")


class InvoiceTerms(Part):
    """The cost of one rented machine."""

    renter: Address = Field(description="Who signed it.")
    provider: Text = Field(description="Who was paid.")
    machine: Text = Field(description="The provider's name of the rental.")
    bill: Digest = Field(description="SHA-256 of the bill.")
    nodes: list[Address] = Field(description="Node keys that worked on it.")
    from_hour: Hour = Field(description="First hour.")
    to_hour: Hour = Field(description="The hour after the last one.")
    amount: MicroUsd = Field(description="The cost.")
    payback: Flag = Field(description="Whether the holders are asked to pay it back, instead of capital.")
    assessed: InvoiceAssessment | None = Field(description="Its worth, once an epoch closed with it.")


class Credit(Part):
    """A contribution of code or data, or the invoice of a machine, that a run credited."""

    entry: Entry = Field(description="Index of the log entry that credits the contribution.")
    kind: Annotated[int, Field(ge=0, le=255, examples=[1], json_schema_extra=unit("kind of a payout leaf"))] = Field(
        description="Kind of the contribution: 1 code, 2 capital, 3 data."
    )
    source: Text = Field(description="Source of the contribution, such as a repository or a provider.")
    subject: Text = Field(description="Identifier of the contribution: a commit, a manifest of data, or a machine.")
    licence: Text = Field(description="Licence of the contribution; empty for an invoice.")
    account: Address = Field(description="Address of the account that the contribution pays.")
    weight: Amount = Field(
        description="Weight of the contribution beside other contributions, by which they share their pay.",
        json_schema_extra=unit("weight"),
    )
    signers: list[Address] = Field(
        description="Addresses of the maintainers that signed, and of an invoice's renter and account."
    )
    invoice: InvoiceTerms | None = Field(None, description="Terms of the invoice; null for code and data.")


class VerifierFaultLine(Part):
    """A fault that a verifier committed in a run."""

    proof: Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{64})?$", examples=["0x" + "5a" * 32])] = Field(
        description="Id of the proof that the fault is about; empty if the fault is about a round."
    )
    verifier: Address = Field(description="Address of the verifier that committed the fault.")
    fault: Annotated[str, Field(examples=["false-word"])] = Field(
        description="Name of the fault: contracts/protocol/judge/entries.py:Fault."
    )
    round: RoundNumber = Field(description="Round of the fault, from 1.")
    entry: Entry = Field(description="Index of the log entry that derives the fault.")


class ObstacleLine(Part):
    """An obstacle that keeps the next round from opening."""

    obstacle: Annotated[str, Field(examples=["verifiers"])] = Field(description="Stable name of the obstacle.")
    text: Text = Field(description="Explanation of the obstacle in words, with its numbers.")


class AwaitedLine(Part):
    """A message that a run awaits."""

    what: Annotated[str, Field(examples=["commitment"])] = Field(
        description="Kind of the awaited message: contracts/protocol/judge/facts.py:What."
    )
    party: Annotated[str, Field(examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"])] = Field(
        description="Address that owes the message; the segment's number for a second look, empty for seen."
    )
    round: RoundNumber = Field(description="Round that awaits the message, from 1.")
    proof: Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{64})?$", examples=["0x" + "5a" * 32])] = Field(
        description="Id of the proof that awaits the message; empty if a round awaits it."
    )
    since_entry: Entry = Field(description="Index of the log entry from which the message is awaited.")
    since: Seconds | None = Field(description="Chain time of that entry, as Unix seconds; null if it is unknown.")
    period: Annotated[int, Field(ge=1, le=2, examples=[1], json_schema_extra=unit("periods of the run"))] = Field(
        description="Period in which the message is awaited: 1 the first, 2 the second."
    )
    late: list[Address] = Field(
        description="Addresses of the verifiers that signed that the message did not come in time."
    )


class Waiting(Part):
    """The messages that a run awaits now, and the obstacles to its next round."""

    run: Digest = Field(description="Id of the run.")
    round: RoundNumber = Field(description="Number of the run's newest round; 0 before the first.")
    now: Seconds | None = Field(
        description="Chain time at the end of the log, as Unix seconds; null before the first block."
    )
    obstacles: list[ObstacleLine] = Field(
        description="Obstacles that keep the next round from opening; empty if there are none."
    )
    awaited: list[AwaitedLine] = Field(
        description="Awaited messages, the one that is awaited longest first; 500 at most.", max_length=500
    )
    count: Count = Field(description="Number of all awaited messages, listed or not.")
