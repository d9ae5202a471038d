"""A signed message as the machine's fact: its author checked, its digests as text.

Checks that need no state are here; the machine checks a message against the rest of the log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from eth_utils import to_checksum_address

from contracts.errors import BadField, BadSignature
from contracts.ids import Address, ProofId, RunId, from_hex, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages import for_log as messages
from contracts.messages.fields import field_types, from_json, to_json
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, digest, recover
from contracts.protocol.configuration.profiles import SEVERAL, readers_of
from contracts.protocol.contribution import most_signatures
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import Fact, Reason, SegmentWord, What, Word
from contracts.protocol.limits import LimitTable
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.run_config import RunConfig

M = TypeVar("M", bound=Message)
Beside: TypeAlias = Mapping[str, Any]
ZERO = b"\0" * 32

WHAT: tuple[What, ...] = tuple(What)
"""uint8 in Lapse.what."""
WORDS: dict[int, Word] = {1: Word.TRUE, 2: Word.FALSE, 3: Word.DRIFT, 4: Word.UNSERVED}
"""uint8 in SegmentVerdict.word."""
CLOCKS: dict[str, tuple[int, int]] = {
    "periodSeconds": (10, 30 * 86_400),
    "leaseSeconds": (5, 30 * 86_400),
    "leastRate": (1, 2**53 - 1),
}
"""The ranges of a run's clocks: in less than a period of some looks nobody answers, however honest."""
PROVIDER = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,119}")
"""One spelling of a machine's name: hours are counted once by it."""
VOUCHED: tuple[type[Message], ...] = (messages.Contribution, messages.Invoice)
"""The messages that maintainers sign."""
REASONS: dict[int, Reason] = {1: Reason.REPLAY, 2: Reason.NOT_FINITE}
"""uint16 in SegmentVerdict.reason, 0 where the word has none."""


@dataclass(frozen=True)
class Envelope:
    """A message as it travels and stands in the log: with its signatures, and what is beside it."""

    message: Message
    signatures: tuple[bytes, ...]
    beside: Beside

    def body(self) -> dict[str, object]:
        """The wire form."""
        signatures = [to_hex(signature) for signature in self.signatures]
        return {"message": to_json(self.message), "signatures": signatures, "beside": dict(self.beside)}


def read_envelope(kind: type[Message], body: Mapping[str, Any]) -> Envelope:
    """The wire form, read strictly. Raises InvalidLeaf and BadField."""
    if set(body) != {"message", "signatures", "beside"} or not isinstance(body["beside"], Mapping):
        raise InvalidLeaf("a message stands with its signatures and what is beside it")
    signatures = body["signatures"]
    most = most_signatures(kind)
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= most:
        raise InvalidLeaf(f"{kind.__name__} has between 1 and {most} signatures")
    message = from_json(kind, body["message"])
    _check_spelling(message, body["message"])
    return Envelope(message, tuple(_octets(text) for text in signatures), body["beside"])


def _check_spelling(message: Message, body: Any) -> None:
    """One message has one text: lower-case hex, and addresses with their checksum (EIP-55)."""
    kinds = field_types(type(message))
    addresses = [getattr(message, name) for name, kind in kinds.items() if kind == "address"]
    addresses += [address for name, kind in kinds.items() if kind == "address[]" for address in getattr(message, name)]
    if to_json(message) != body or any(address != to_checksum_address(address) for address in addresses):
        raise InvalidLeaf("bytes are in lower case, and addresses in their checksum form")


def fact_of(envelope: Envelope, domain: Domain, author_of: Callable[[ProofId], Address], checked: bool = True) -> Fact:
    """The fact that a message is. `author_of` gives the node of a proof, for messages that do not name it; without
    `checked` a single author is believed to have signed.

    Raises BadSignature, BadField, InvalidLeaf and InvalidTree.
    """
    message = envelope.message
    build = _FACTS[type(message)]
    beside = _BESIDE.get(type(message), ())
    if set(envelope.beside) - _MAY_STAND.get(type(message), set()) != set(beside):
        raise InvalidLeaf(f"beside {type(message).__name__} stands exactly {', '.join(beside) or 'nothing'}")
    expected = _author(message, author_of)
    if checked or expected is None:
        signers = tuple(recover(message, domain, signature) for signature in envelope.signatures)
    else:
        signers = (to_checksum_address(expected),)
    if expected is not None and signers != (to_checksum_address(expected),):
        raise BadSignature(f"{type(message).__name__} must be signed by {expected}")
    if list(signers) != sorted(set(signers)):
        raise BadField("signatures must be sorted by signer, each once")
    return build(message, to_hex(digest(message, domain)), envelope.beside, signers)


def _author(message: Any, author_of: Callable[[ProofId], Address]) -> Address | None:
    """The account that has to sign; None where maintainers sign, whom the machine knows."""
    if isinstance(message, VOUCHED):
        return None
    if isinstance(message, messages.RunTerms):
        return message.creator
    if isinstance(message, (messages.StateOpening, messages.PledgeReveal)):
        return author_of(ProofId(to_hex(message.proof)))
    if isinstance(message, messages.Return):
        return message.party
    author: Address = message.verifier if hasattr(message, "verifier") else message.node
    return author


def _text(beside: Beside, name: str) -> str:
    text = beside.get(name, "")
    if not isinstance(text, str):
        raise InvalidLeaf(f"{name} must be text")
    return text


def _pairs(config: RunConfig, text: str, profiles: tuple[bytes, ...]) -> frozenset[tuple[str, str]] | None:
    """Pairs (node, verifier) that can judge in a run with limits: those of its table that tell cheats from honest work,
    and machines that compute alike, which compare exactly. In a run of several profiles those of `readers_of`; None in
    any other run. Raises BadField and InvalidLimits."""
    if config.profile != "bounded":
        if text:
            raise BadField("limits stand beside a run with limits only")
        return _readers(config, profiles) if config.profile == SEVERAL else None
    table = LimitTable.from_json(text)
    if table.to_json() != text or table.digest().hex() != config.limits_digest:
        raise BadField("limits is not the canonical text of the manifest's table")
    alike = {(to_hex(profile), to_hex(profile)) for profile in profiles}
    separable = [
        (f"0x{first}", f"0x{second}") for first, second in (pair.profiles for pair in table.pairs if pair.separates)
    ]
    return frozenset({*alike, *separable, *((second, first) for first, second in separable)})


def _readers(config: RunConfig, profiles: tuple[bytes, ...]) -> frozenset[tuple[str, str]]:
    """Raises BadField where configuration and manifest list other profiles, or in another order."""
    if [profile.digest for profile in config.admitted] != [to_hex(profile) for profile in profiles]:
        raise BadField("profiles are not those that the configuration lists, in its order")
    return readers_of(config.admitted)


def _run(message: messages.RunTerms, name: RunId, beside: Beside, _: tuple[Address, ...]) -> Fact:
    config = RunConfig.from_json(_text(beside, "config"))
    limits = _text(beside, "limits")
    if config.digest() != message.config or config.to_json() != beside["config"]:
        raise BadField("config is not the canonical text of the manifest's")
    if message.samples < 2:
        raise BadField("samples must be at least 2: the common segment, which the beacon alone gives, and one's own")
    for field, (low, high) in CLOCKS.items():
        if not low <= getattr(message, field) <= high:
            raise BadField(f"{field} must be between {low} and {high}, is {getattr(message, field)}")
    terms = facts.Terms(
        emission=message.emission,
        rounds_per_epoch=message.roundsPerEpoch,
        min_nodes=message.minNodes,
        max_nodes=message.maxNodes,
        panel=message.panel,
        samples=message.samples,
        audit_floor=message.auditFloor,
        node_stake=message.nodeStake,
        span=message.beaconSpan,
        root_seconds=message.rootSeconds,
        behind_rounds=message.behindRounds,
        canaries=message.canaries,
        canary_window=message.canaryWindow,
        exact=config.profile != "bounded",
        profiles=tuple(to_hex(profile) for profile in message.profiles),
        pairs=_pairs(config, limits, message.profiles),
    )
    start = (to_hex(message.genesis), to_hex(message.momentum), to_hex(message.inner))
    creator = to_checksum_address(message.creator)
    return facts.RunCreated(name, creator, message.nonce, terms, config.to_json(), *start, limits)


def _anchor(message: messages.VerifierAnchor, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    profile = to_hex(message.profile)
    anchor = to_hex(message.anchor)
    length = message.length
    first = message.firstRound
    return facts.Anchored(RunId(to_hex(message.run)), signers[0], anchor, length, profile, first)


def _enrolment(message: messages.Enrolment, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    payout = to_checksum_address(message.payout)
    if int(payout, 16) == 0:
        raise BadField("payout must not be the zero address")
    profile = to_hex(message.profile)
    return facts.Enrolled(RunId(to_hex(message.run)), signers[0], payout, message.firstRound, profile, message.nonce)


def _leave(message: messages.Leave, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    return facts.Left(RunId(to_hex(message.run)), signers[0], message.nonce)


def _return(message: messages.Return, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    return facts.Returned(RunId(to_hex(message.run)), signers[0], message.size)


def _commitment(message: messages.Commitment, name: ProofId, beside: Beside, signers: tuple[Address, ...]) -> Fact:
    first = message.startState + message.innerState
    last = message.endState + message.innerEnd
    count = message.boundaries
    root = message.root
    KECCAK_TREE.check_inclusion(first, 0, count, _path(beside, "first_path"), root)
    KECCAK_TREE.check_inclusion(last, count - 1, count, _path(beside, "last_path"), root)
    return facts.Committed(
        run=RunId(to_hex(message.run)),
        round=message.round,
        node=signers[0],
        proof=name,
        theta=to_hex(message.startState),
        inner=to_hex(message.innerState),
        inner_end=to_hex(message.innerEnd),
        gradient=to_hex(message.gradient),
        size=message.gradientSize,
        data_seed=to_hex(message.dataSeed),
        config=to_hex(message.config),
        profile=to_hex(message.profile),
        pledge=to_hex(message.pledge),
        segments=count - 1,
        tokens=message.tokens,
        root=to_hex(root),
    )


def _has(message: messages.Has, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    return facts.Has(
        RunId(to_hex(message.run)),
        message.round,
        signers[0],
        tuple(ProofId(to_hex(proof)) for proof in message.proofs),
    )


def _seen(message: messages.Seen, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    return facts.Seen(RunId(to_hex(message.run)), message.round, signers[0], message.index, to_hex(message.root))


def _secret(message: messages.RoundSecret, _: str, beside: Beside, signers: tuple[Address, ...]) -> Fact:
    path = tuple(to_hex(node) for node in _path(beside, "path"))
    return facts.Secret(RunId(to_hex(message.run)), message.round, signers[0], to_hex(message.secret), path)


def _opening(message: messages.StateOpening, _: str, beside: Beside, __: tuple[Address, ...]) -> Fact:
    path = tuple(to_hex(node) for node in _path(beside, "path"))
    state = to_hex(message.weights + message.inner)
    return facts.Opened(ProofId(to_hex(message.proof)), message.boundary, state, to_hex(message.blob), path)


def _verdict(message: messages.Verdict, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    witness = "" if message.witness == ZERO else to_hex(message.witness)
    words = tuple(_word(word) for word in message.words)
    return facts.Words(ProofId(to_hex(message.proof)), signers[0], words, witness, to_hex(message.root))


def _word(verdict: messages.SegmentVerdict) -> SegmentWord:
    if verdict.word not in WORDS or verdict.reason not in (0, *REASONS):
        raise BadField(f"word {verdict.word} with reason {verdict.reason} is none")
    return SegmentWord(
        verdict.segment, WORDS[verdict.word], REASONS.get(verdict.reason), verdict.measured, verdict.limit
    )


def _pledge(message: messages.PledgeReveal, _: str, __: Beside, ___: tuple[Address, ...]) -> Fact:
    fake = None if message.fake == NO_SEGMENT else message.fake
    return facts.PledgeOpened(ProofId(to_hex(message.proof)), to_hex(message.salt), fake)


def _trace(message: messages.TraceReveal, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    return facts.TraceShown(ProofId(to_hex(message.proof)), signers[0], to_hex(message.trace))


def _lapse(message: messages.Lapse, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    if message.what >= len(WHAT):
        raise BadField(f"what must be at most {len(WHAT) - 1}")
    what = WHAT[message.what]
    looks = what is What.SECOND_LOOK
    nobody = what in (What.SECOND_LOOK, What.SEEN)
    if looks != (message.segment != NO_SEGMENT) or nobody != (int(message.party, 16) == 0):
        raise BadField("a second look names a segment; it, and what all verifiers owe, names no party, all else one")
    proof = "" if message.proof == ZERO else to_hex(message.proof)
    party = "" if nobody else to_checksum_address(message.party)
    party = str(message.segment) if looks else party
    awaited = facts.Awaited(what, RunId(to_hex(message.run)), message.round, ProofId(proof), party)
    return facts.Lapse(signers[0], awaited, message.since, to_hex(message.root))


def _merge(message: messages.Merge, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    theta = to_hex(message.theta)
    momentum = to_hex(message.momentum)
    return facts.MergeSigned(
        RunId(to_hex(message.run)), message.round, signers[0], theta, momentum, to_hex(message.root)
    )


def _contribution(message: messages.Contribution, _: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    key = "\n".join((message.source, message.subject))
    account = to_checksum_address(message.account)
    if int(account, 16) == 0:
        raise BadField("account must not be the zero address")
    return facts.Credited(RunId(to_hex(message.run)), key, message.kind, account, message.weight, signers)


def _invoice(message: messages.Invoice, name: str, __: Beside, signers: tuple[Address, ...]) -> Fact:
    account = to_checksum_address(message.account)
    if int(account, 16) == 0:
        raise BadField("account must not be the zero address")
    if not PROVIDER.fullmatch(message.provider) or not MACHINE.fullmatch(message.machine):
        raise BadField("provider and machine are names without spaces, the provider's in lower case")
    nodes = tuple(to_checksum_address(node) for node in message.nodes)
    machine = (message.provider, message.machine, to_hex(message.bill), nodes)
    cost = (message.fromHour, message.toHour, message.amount, message.payback)
    renter = to_checksum_address(message.renter)
    return facts.Invoiced(RunId(to_hex(message.run)), name, renter, account, *machine, *cost, signers)


def _octets(text: Any) -> bytes:
    try:
        if isinstance(text, str) and text.startswith("0x") and text == text.lower():
            return from_hex(text)
    except ValueError:
        pass
    raise InvalidLeaf("bytes are 0x-hex in lower case")


def _path(beside: Beside, name: str) -> list[bytes]:
    nodes = beside[name]
    if not isinstance(nodes, list) or len(nodes) > 64:
        raise InvalidLeaf(f"{name} must be a list of at most 64 hashes")
    return [_octets(node) for node in nodes]


_Builder = Callable[[Any, Any, Beside, tuple[Address, ...]], Fact]
_FACTS: dict[type[Message], _Builder] = {
    messages.RunTerms: _run,
    messages.VerifierAnchor: _anchor,
    messages.Enrolment: _enrolment,
    messages.Leave: _leave,
    messages.Return: _return,
    messages.Commitment: _commitment,
    messages.Has: _has,
    messages.Seen: _seen,
    messages.RoundSecret: _secret,
    messages.StateOpening: _opening,
    messages.Verdict: _verdict,
    messages.PledgeReveal: _pledge,
    messages.TraceReveal: _trace,
    messages.Lapse: _lapse,
    messages.Merge: _merge,
    messages.Contribution: _contribution,
    messages.Invoice: _invoice,
}
_BESIDE: dict[type[Message], tuple[str, ...]] = {
    messages.RunTerms: ("config",),
    messages.Commitment: ("first_path", "last_path"),
    messages.RoundSecret: ("path",),
    messages.StateOpening: ("path",),
}
_MAY_STAND: dict[type[Message], set[str]] = {messages.RunTerms: {"limits"}}
ENTERED: tuple[type[Message], ...] = tuple(_FACTS)
"""The messages that stand in the log; mirror addresses and lease renewals do not."""
