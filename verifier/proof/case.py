"""The log's entries about one proof: its commitment, the round that it belongs to, openings, words and its end.

Entries are gathered from a whole log, in order, or from a saved folder; either way their signatures are recovered, and
an opened state must be the committed one. Whether derived entries follow from the rest is for the audit to check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from contracts.errors import CommonweightError
from contracts.ids import ProofId, as_address, from_hex, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages.for_log import Commitment, Merge, RunTerms, StateOpening
from contracts.messages.signatures import Domain, digest
from contracts.protocol.judge.entries import (
    BenchCalled,
    Drawn,
    FaultDerived,
    PanelDrawn,
    Posted,
    RoundOpened,
    SegmentDecided,
    Undecided,
    Voided,
)
from contracts.protocol.judge.facts import Committed, RunCreated, TraceShown, Words
from contracts.protocol.log.codec import parse
from contracts.protocol.log.leaf import Entry, read
from contracts.protocol.log.signed import read_envelope

MOST_MERGES = 64
"""Outer states whose files are remembered until the proof is found."""
_KIND = re.compile(rb'"kind":"([a-z-]+)"')
_STEADY = ("run-terms", "round-opened", "merge")
_ABOUT = (
    "state-opening",
    "verdict",
    "trace-reveal",
    "panel-drawn",
    "drawn",
    "bench-called",
    "segment-decided",
    "voided",
    "posted",
    "undecided",
    "fault-derived",
)
"""Kinds of entries that are kept where they name the proof."""


class ProofUnknown(CommonweightError):
    """The log does not have this proof, or lacks entries that its replay needs."""

    code = "proof-unknown"


class ProofMismatch(CommonweightError):
    """An opened state, or the round, is not the one of the commitment."""

    code = "proof-mismatch"


@dataclass
class Gathered:
    """Leaves by index, as far as one proof needs them."""

    proof: ProofId
    domain: Domain
    kept: dict[int, str] = field(default_factory=dict)
    _rounds: dict[str, tuple[int, str]] = field(default_factory=dict)
    _terms: dict[str, tuple[int, str]] = field(default_factory=dict)
    _merges: dict[str, dict[int, str]] = field(default_factory=dict)
    _found: bool = False

    def take(self, index: int, leaf: bytes) -> None:
        """Take the next leaf of the log. Raises InvalidLeaf and BadField for one that cannot be read."""
        kinds = set(_KIND.findall(leaf))
        if not self._found and b"commitment" in kinds:
            self._commitment(index, leaf.decode())
        elif not self._found and kinds & {kind.encode() for kind in _STEADY}:
            self._steady(index, leaf.decode())
        elif self._found and self.proof.encode() in leaf and kinds & {kind.encode() for kind in _ABOUT}:
            self.kept[index] = leaf.decode()

    def _steady(self, index: int, text: str) -> None:
        """Note each run's terms and its newest round, and each outer state's merges, which name its files."""
        body = parse(text)
        kind = body.pop("kind")
        if kind == "round-opened":
            self._rounds[body["run"]] = (index, text)
        elif kind == "run-terms":
            envelope = read_envelope(RunTerms, body)
            self._terms[to_hex(digest(envelope.message, self.domain))] = (index, text)
        elif kind == "merge":
            self._merges.setdefault(body["message"]["theta"], {})[index] = text
            if len(self._merges) > MOST_MERGES:
                del self._merges[next(iter(self._merges))]

    def _commitment(self, index: int, text: str) -> None:
        body = parse(text)
        if body.pop("kind") != "commitment":
            return
        message = read_envelope(Commitment, body).message
        if to_hex(digest(message, self.domain)) != self.proof:
            return
        assert isinstance(message, Commitment), "it was read as one"
        run = to_hex(message.run)
        if run not in self._rounds or run not in self._terms:
            raise ProofUnknown("its commitment stands in the log before its run or round")
        self._found = True
        self.kept |= dict([self._terms[run], self._rounds[run], (index, text)])
        self.kept |= self._merges.get(to_hex(message.startState), {})


@dataclass(frozen=True)
class OpenedBoundary:
    """An opened state: its entry of 64 bytes (0x-hex), its file and that file's bytes."""

    entry: str
    blob: str
    size: int


@dataclass
class Case:
    """One proof with all entries about it."""

    proof: ProofId
    created: RunCreated
    round: RoundOpened
    commitment: Committed
    message: Commitment
    theta_blobs: tuple[str, ...] = ()
    openings: dict[int, OpenedBoundary] = field(default_factory=dict)
    words: list[Words] = field(default_factory=list)
    draws: dict[str, tuple[int, ...]] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)
    decided: dict[int, SegmentDecided] = field(default_factory=dict)
    panel: PanelDrawn | None = None
    end: Posted | Voided | Undecided | None = None
    fault: FaultDerived | None = None

    @property
    def outcome(self) -> str:
        """The proof's end by the log, for people."""
        if self.end is None:
            return "pending"
        if not isinstance(self.end, Voided):
            return type(self.end).__name__.lower()
        segment = "" if self.end.segment is None else f", segment {self.end.segment}"
        fault = "" if self.fault is None else ", at fault" if self.fault.at_fault else ", no fault"
        return f"voided ({self.fault.reason if self.fault else self.end.reason}{segment}{fault})"


def case_of(proof: ProofId, leaves: dict[int, str], domain: Domain) -> Case:
    """The case from gathered leaves. Raises ProofUnknown, ProofMismatch, and what a bad signature raises."""
    case = None
    node = ""
    created: RunCreated | None = None
    opened: RoundOpened | None = None
    blobs: dict[str, dict[str, None]] = {}
    for index in sorted(leaves):
        if case is None and parse(leaves[index]).get("kind") not in (*_STEADY, "commitment"):
            break
        entry = read(leaves[index], domain, lambda _: as_address(node))  # noqa: B023
        message = _message(leaves[index])
        if isinstance(entry, RunCreated):
            created = entry
        elif isinstance(entry, RoundOpened):
            opened = entry
        elif isinstance(message, Merge):
            blobs.setdefault(to_hex(message.theta), {})[message.thetaBlob.hex()] = None
        elif isinstance(entry, Committed):
            assert isinstance(message, Commitment), "a commitment is one as a message"
            case = _begun(proof, created, opened, entry, message)
            node = entry.node
            case.theta_blobs = tuple(blobs.get(entry.theta, ()))
        elif case is not None:
            _take(case, entry, message)
    if case is None:
        raise ProofUnknown(f"the log has no commitment {proof}")
    return case


def _begun(
    proof: ProofId, created: RunCreated | None, opened: RoundOpened | None, entry: Committed, message: Commitment
) -> Case:
    """The commitment is to this round of this run."""
    if created is None or opened is None or entry.proof != proof:
        raise ProofUnknown(f"what is here is not all that belongs to {proof}")
    listed = next((node for node in opened.nodes if node.node == entry.node), None)
    committed = (entry.run, entry.round, entry.theta, entry.data_seed, entry.inner)
    expected = (opened.run, opened.round, opened.theta, opened.data_seed, listed.inner if listed else "")
    if committed != expected or created.run != opened.run:
        raise ProofMismatch("the commitment is to other inputs than the round's")
    return Case(proof, created, opened, entry, message)


def _take(case: Case, entry: Entry, message: object) -> None:
    if getattr(entry, "proof", None) != case.proof:
        return
    if isinstance(message, StateOpening):
        _open(case, entry, message)
    elif isinstance(entry, Words):
        case.words.append(entry)
    elif isinstance(entry, Drawn):
        case.draws[entry.verifier] = entry.segments
    elif isinstance(entry, TraceShown):
        case.traces[entry.verifier] = entry.trace
    elif isinstance(entry, SegmentDecided):
        case.decided[entry.segment] = entry
    elif isinstance(entry, PanelDrawn):
        case.panel = entry
    elif isinstance(entry, (Posted, Voided, Undecided)):
        case.end = entry
    elif isinstance(entry, FaultDerived):
        case.fault = entry
    else:
        assert isinstance(entry, BenchCalled), f"{type(entry).__name__} is not gathered"


def _open(case: Case, entry: object, message: StateOpening) -> None:
    """Add an opened state, if it is the committed one; the first opening of a boundary counts. Raises ProofMismatch."""
    state = message.weights + message.inner
    path = [from_hex(node) for node in getattr(entry, "path", ())]
    count = case.commitment.segments + 1
    root = from_hex(case.commitment.root)
    try:
        KECCAK_TREE.check_inclusion(state, message.boundary, count, path, root)
    except CommonweightError as error:
        raise ProofMismatch(f"boundary {message.boundary} is not the committed one: {error.detail}") from error
    boundary = OpenedBoundary(to_hex(state), message.blob.hex(), message.size)
    case.openings.setdefault(message.boundary, boundary)


def _message(text: str) -> object:
    """The signed message of a leaf, if it is one that files are named by."""
    body = parse(text)
    kind = {"commitment": Commitment, "merge": Merge, "state-opening": StateOpening}.get(body.pop("kind"))
    return read_envelope(kind, body).message if kind is not None else None
