"""A verifier's data from signed messages beside the machine's facts: names of blobs, sizes, bounds of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from contracts.ids import ProofId, RunId, to_hex
from contracts.messages.for_contracts import Message, from_json, to_json
from contracts.messages.for_log import Commitment, Merge, RunTerms, StateOpening
from contracts.messages.signatures import Domain, digest
from contracts.process.record import Record
from contracts.protocol.judge.state import State
from contracts.protocol.log.leaf import SIGNED
from contracts.protocol.log.signed import Envelope, read_envelope
from contracts.wire.fields import Object

_Terms = Annotated[RunTerms, PlainSerializer(to_json), PlainValidator(partial(from_json, RunTerms))]
_Commitment = Annotated[Commitment, PlainSerializer(to_json), PlainValidator(partial(from_json, Commitment))]
_Opening = Annotated[StateOpening, PlainSerializer(to_json), PlainValidator(partial(from_json, StateOpening))]
_Merge = Annotated[Merge, PlainSerializer(to_json), PlainValidator(partial(from_json, Merge))]
_Names = Annotated[dict[str, None], PlainSerializer(list), PlainValidator(dict.fromkeys)]
"""Names in their order, each once; a list in JSON."""


@dataclass
class Collected(Record):
    """Messages of the log, by the names that the machine gives, without those of final epochs.

    `blobs` are the files that merges name for an outer state (weights or momentum), by its digest.
    """

    terms: dict[str, _Terms]
    commitments: dict[str, _Commitment]
    merges: dict[str, _Merge]
    openings: dict[str, dict[int, _Opening]]
    blobs: dict[str, _Names]
    entered: dict[str, tuple[str, int]]
    """Digests of the log's messages about rounds that the machine holds, with run and round. The log does not lack such
    a message, though the machine would enter some kinds once more, without effect."""

    def add(self, state: State, message: Message, name: str) -> None:
        """Take a message of the log in, after it was entered; `name` is its digest."""
        round_key = _place(state, message)
        if round_key is not None:
            self.entered[name] = round_key
        if isinstance(message, RunTerms):
            self.terms[name] = message
        elif isinstance(message, Commitment):
            self.commitments[name] = message
        elif isinstance(message, StateOpening):
            self.openings.setdefault(to_hex(message.proof), {}).setdefault(message.boundary, message)
        elif isinstance(message, Merge):
            self.merges[name] = message
            self.blobs.setdefault(to_hex(message.theta), {})[message.thetaBlob.hex()] = None
            self.blobs.setdefault(to_hex(message.momentum), {})[message.momentumBlob.hex()] = None

    @classmethod
    def empty(cls) -> Collected:
        """Before the log's first entry."""
        return cls({}, {}, {}, {}, {}, {})

    def prune(self, state: State) -> None:
        """Forget messages about subjects that the machine has forgotten."""
        rounds = {(name, number) for name, run in state.runs.items() for number in run.rounds}
        self.entered = {name: round_key for name, round_key in self.entered.items() if round_key in rounds}
        for messages in (self.commitments, self.openings):
            for name in [name for name in messages if name not in state.proofs]:
                del messages[name]
        wanted = {digest for run in state.runs.values() for digest in (run.theta, run.momentum)}
        for run in state.runs.values():
            for current in run.rounds.values():
                signed = (step for steps in current.merges.values() for step in steps)
                wanted.update((current.theta, current.momentum), *signed)
        for name in [name for name in self.blobs if name not in wanted]:
            del self.blobs[name]
        for name in [name for name, merge in self.merges.items() if to_hex(merge.theta) not in wanted]:
            del self.merges[name]


def _place(state: State, message: Message) -> tuple[RunId, int] | None:
    """Run and round of a message; None for a message about neither a round nor a proof."""
    if hasattr(message, "round") and hasattr(message, "run"):
        return RunId(to_hex(message.run)), int(message.round)
    proof = state.proofs.get(ProofId(to_hex(message.proof))) if hasattr(message, "proof") else None
    return (proof.commitment.run, proof.commitment.round) if proof is not None else None


def envelope_of(body: Object, domain: Domain) -> tuple[Envelope, str] | None:
    """The message of a leaf's JSON and its digest (0x-hex); None for other kinds of leaves. Raises InvalidLeaf."""
    kind = body.get("kind")
    if not isinstance(kind, str) or kind not in SIGNED:
        return None
    inner = {name: value for name, value in body.items() if name != "kind"}
    envelope = read_envelope(SIGNED[kind], inner)
    return envelope, to_hex(digest(envelope.message, domain))
