"""Runs as people read them: terms, nodes, decisions, contributions, faults, and what is awaited."""

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
"""contracts/protocol/run_config.py:RunConfig as JSON."""


class RunLine(Part):
    """A run among others."""

    run: Digest = Field(description="The run's id: the digest of its terms.")
    phase: RunPhase = Field(strict=False, description="What it does now.", examples=["training"])
    round: RoundNumber = Field(description="Its newest round.")


class Anchor(Part):
    """A verifier that bound itself to a run, by its last anchor."""

    verifier: Address = Field(description="The verifier.")
    profile: Digest = Field(description="The numerics profile under which it can judge.")
    first_round: Annotated[int, Field(ge=0, le=2**64 - 1, examples=[2], json_schema_extra=unit(ROUNDS))] = Field(
        description="The first round for which it has a secret: its own word, which nothing bounds from above."
    )
    rounds: Count = Field(description="Rounds for which it has one.")
    entry: Entry = Field(description="The entry that says so.")


class RunCounts(Part):
    """How much a run has of what comes in pages."""

    nodes: Count = Field(description="Nodes that ever enrolled.")
    active_nodes: Count = Field(description="Nodes that did not leave.")
    epochs: Count = Field(description="Epochs that closed.")
    decisions: Count = Field(description="Decisions of the holders that it took or refused.")
    contributions: Count = Field(description="Contributions that it credited.")
    faults: Count = Field(description="Faults of verifiers in it.")


class OuterState(Part):
    """The weights and the outer momentum that the next round starts from."""

    theta: Digest = Field(description="Digest of the weights.")
    momentum: Digest = Field(description="Digest of the outer momentum.")
    theta_blob: Digest | None = Field(description="BLAKE3 name of the weights' bytes, 0x-hex; null before a merge.")
    momentum_blob: Digest | None = Field(description="The same of the momentum.")


class Run(Part):
    """One run: its terms, its verifiers, where it rests, and how much it has of what comes in pages."""

    run: Digest = Field(description="The run's id.")
    creator: Address = Field(description="Who signed its terms.")
    manifest: Annotated[Object, WithJsonSchema(schema_of(RunTerms))] = Field(
        description="The terms as they were signed; the run's id is their digest."
    )
    config: ConfigText = Field(description="The configuration of the newest round, as JSON in a text.")
    phase: RunPhase = Field(strict=False, description="What it does now.", examples=["training"])
    round: RoundNumber = Field(description="Its newest round.")
    verifiers: list[Anchor] = Field(description="Verifiers that anchored.")
    last_epoch: EpochNumber | None = Field(description="The newest epoch that closed; null before the first.")
    counts: RunCounts = Field(description="How much there is of what comes in pages.")
    outer: OuterState = Field(description="What the next round starts from.")


class NodeLine(Part):
    """A node of a run, as it enrolled last."""

    node: Address = Field(description="The node's key.")
    payout: Address = Field(description="Where its share is paid.")
    from_round: RoundNumber = Field(description="The first round of this enrolment.")
    profile: Digest = Field(description="The numerics profile under which it computes.")
    active: Flag = Field(description="Whether it has not left.")
    entry: Entry = Field(description="The entry of its enrolment.")


class TakenDecision(Part):
    """What a run made of a decision."""

    sequence: Count = Field(description="The decision's number, in the order of the chain.")
    applied: Flag = Field(description="Whether the run obeys it.")
    detail: Text = Field(description="Why it does not; empty where it does.")
    entry: Entry = Field(description="The entry that says so.")


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
    """Code, data or the cost of a machine that a run credited."""

    entry: Entry = Field(description="The entry that credits it.")
    kind: Annotated[int, Field(ge=0, le=255, examples=[1], json_schema_extra=unit("kind of a payout leaf"))] = Field(
        description="1 code, 2 capital, 3 data."
    )
    source: Text = Field(description="Where the subject is from; a provider.")
    subject: Text = Field(description="A commit, a manifest of data, or a machine.")
    licence: Text = Field(description="Its licence; empty of a machine.")
    account: Address = Field(description="Who is paid.")
    weight: Amount = Field(description="What it is worth beside other contributions.", json_schema_extra=unit("weight"))
    signers: list[Address] = Field(description="Maintainers that vouched for it, and of an invoice its renter.")
    invoice: InvoiceTerms | None = Field(None, description="The cost, where it is one.")


class VerifierFaultLine(Part):
    """A fault of a verifier in a run."""

    proof: Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{64})?$", examples=["0x" + "5a" * 32])] = Field(
        description="The proof that it is about; empty where it is about a round."
    )
    verifier: Address = Field(description="Whose fault it is.")
    fault: Annotated[str, Field(examples=["false-word"])] = Field(
        description="What it did: contracts/protocol/judge/entries.py:Fault."
    )
    round: RoundNumber = Field(description="The round.")
    entry: Entry = Field(description="The entry that derives it.")


class ObstacleLine(Part):
    """What keeps the next round from opening."""

    obstacle: Annotated[str, Field(examples=["verifiers"])] = Field(description="Its stable name.")
    text: Text = Field(description="The same in words, with its numbers.")


class AwaitedLine(Part):
    """What is awaited of somebody."""

    what: Annotated[str, Field(examples=["commitment"])] = Field(
        description="What it is: contracts/protocol/judge/facts.py:What."
    )
    party: Annotated[str, Field(examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"])] = Field(
        description="Of whom; of a second look the segment's number, of `seen` empty."
    )
    round: RoundNumber = Field(description="In which round.")
    proof: Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{64})?$", examples=["0x" + "5a" * 32])] = Field(
        description="For which proof; empty where a round awaits it."
    )
    since_entry: Entry = Field(description="The entry since which it is awaited.")
    since: Seconds | None = Field(description="The chain's time at that entry; null where it is not known.")
    period: Annotated[int, Field(ge=1, le=2, examples=[1], json_schema_extra=unit("periods of the run"))] = Field(
        description="The period that it is in: the first, or the second."
    )
    late: list[Address] = Field(description="Verifiers that said that it did not come in time.")


class Waiting(Part):
    """What a run waits for now."""

    run: Digest = Field(description="The run.")
    round: RoundNumber = Field(description="Its newest round.")
    now: Seconds | None = Field(description="The chain's time in the log; null before its first block.")
    obstacles: list[ObstacleLine] = Field(
        description="What keeps the next round from opening; empty where nothing does."
    )
    awaited: list[AwaitedLine] = Field(description="What is awaited, the longest first.", max_length=500)
    count: Count = Field(description="How much is awaited in all.")
