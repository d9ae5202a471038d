"""Leaves: every kind is written and read back, and a changed one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.errors import BadField, BadSignature, CommonweightError, InvalidTree
from contracts.ids import ProofId, RunId
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, sign
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.judge import chain_events, entries, facts
from contracts.protocol.judge.facts import What, Word
from contracts.protocol.log.codec import InvalidLeaf, canonical, slug
from contracts.protocol.log.leaf import DERIVED, LARGEST_LEAF, SIGNED, read, write
from contracts.protocol.log.signed import VOUCHED, WHAT, Envelope
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.judge.test_machine import LOG
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit

DOMAIN = Domain(31337, "0x" + "ab" * 20)
NODE, VERIFIER, OTHER = (Account.from_key(bytes([i]) * 32) for i in (1, 2, 3))
DIGEST_TEXT = "0x" + "03" * 32
RUN, PROOF, DIGEST = b"\1" * 32, b"\2" * 32, b"\3" * 32
CONFIG = RunConfig()
ENTRIES = [bytes([i]) * 64 for i in range(5)]
PATHS = [["0x" + n.hex() for n in KECCAK_TREE.inclusion_proof(ENTRIES, i)] for i in (0, 4)]
WORD = messages.SegmentVerdict(3, 2, 1, 5, 6)

COUNTS = (10**24, 1, 2, 8, 0, 2, 10**6, 5, 30, 600, 3, 1, 9, 60, 20, 1000)
TERMS = messages.RunTerms(RUN, NODE.address, CONFIG.digest(), DIGEST, *COUNTS, (DIGEST,), DIGEST, DIGEST, 1)
COMMITMENT = messages.Commitment(
    run=RUN,
    round=1,
    node=NODE.address,
    startState=b"\0" * 32,
    innerState=b"\0" * 32,
    root=KECCAK_TREE.root(ENTRIES),
    boundaries=5,
    endState=b"\4" * 32,
    innerEnd=b"\4" * 32,
    gradient=DIGEST,
    gradientBlob=DIGEST,
    gradientSize=9,
    dataSeed=DIGEST,
    config=DIGEST,
    profile=DIGEST,
    pledge=DIGEST,
    tokens=64,
)
LAPSE = messages.Lapse(RUN, 1, VERIFIER.address, WHAT.index(What.WORDS), PROOF, OTHER.address, NO_SEGMENT, 7, DIGEST)
INVOICE = messages.Invoice(
    run=RUN,
    renter=VERIFIER.address,
    account=OTHER.address,
    provider="lambda",
    machine="i-07",
    bill=DIGEST,
    nodes=(NODE.address,),
    fromHour=9,
    toHour=12,
    amount=7_500_000,
    payback=False,
)
GIVEN: dict[type[Message], tuple[Message, LocalAccount, dict[str, Any]]] = {
    type(message): (message, key, beside)
    for message, key, beside in (
        (TERMS, NODE, {"config": CONFIG.to_json()}),
        (messages.Enrolment(RUN, NODE.address, OTHER.address, 1, DIGEST, 1), NODE, {}),
        (messages.Leave(RUN, NODE.address, 1), NODE, {}),
        (messages.Return(RUN, VERIFIER.address, 9, DIGEST), VERIFIER, {}),
        (messages.VerifierAnchor(RUN, VERIFIER.address, DIGEST, 50, 1, DIGEST, DIGEST), VERIFIER, {}),
        (COMMITMENT, NODE, {"first_path": PATHS[0], "last_path": PATHS[1]}),
        (messages.Has(RUN, 1, VERIFIER.address, (PROOF,)), VERIFIER, {}),
        (messages.Seen(RUN, 1, VERIFIER.address, 4, DIGEST), VERIFIER, {}),
        (messages.RoundSecret(RUN, 1, VERIFIER.address, DIGEST), VERIFIER, {"path": []}),
        (messages.StateOpening(PROOF, 2, DIGEST, DIGEST, DIGEST, 9), NODE, {"path": PATHS[0]}),
        (messages.Verdict(PROOF, VERIFIER.address, DIGEST, DIGEST, (WORD,)), VERIFIER, {}),
        (messages.PledgeReveal(PROOF, DIGEST, NO_SEGMENT), NODE, {}),
        (messages.TraceReveal(PROOF, VERIFIER.address, DIGEST), VERIFIER, {}),
        (LAPSE, VERIFIER, {}),
        (messages.Merge(RUN, 1, VERIFIER.address, *(DIGEST,) * 5, 5), VERIFIER, {}),
        (messages.Contribution(RUN, 1, "repo", "commit", "MIT", OTHER.address, 5), VERIFIER, {}),
        (INVOICE, VERIFIER, {}),
    )
}


def envelope(kind: type[Message], **changes: Any) -> Envelope:
    message, key, beside = GIVEN[kind]
    message = replace(message, **changes)
    return Envelope(message, (sign(message, DOMAIN, bytes(key.key)),), beside)


def understood(text: str) -> Any:
    return read(text, DOMAIN, lambda proof: NODE.address)


def test_every_message_of_the_log_is_given_here() -> None:
    assert set(GIVEN) == set(SIGNED.values())


@pytest.mark.parametrize("kind", GIVEN, ids=lambda kind: kind.__name__)
def test_a_message_becomes_a_fact(kind: type[Message]) -> None:
    assert isinstance(understood(write(envelope(kind))), facts.Fact)


@pytest.mark.parametrize("kind", GIVEN, ids=lambda kind: kind.__name__)
def test_another_signers_message_is_refused(kind: type[Message]) -> None:
    message, _, beside = GIVEN[kind]
    text = write(Envelope(message, (sign(message, DOMAIN, bytes(OTHER.key)),), beside))
    if kind in VOUCHED:
        assert understood(text).signers == (OTHER.address,)
        return
    with pytest.raises(BadSignature):
        understood(text)


@pytest.mark.parametrize("kind", GIVEN, ids=lambda kind: kind.__name__)
def test_a_message_for_another_chain_is_refused(kind: type[Message]) -> None:
    text = write(envelope(kind))
    if kind in VOUCHED:
        return
    with pytest.raises((BadField, BadSignature)):
        read(text, Domain(1, DOMAIN.verifying_contract), lambda proof: NODE.address)


ADDRESSES = facts.Block(
    1,
    2,
    DIGEST_TEXT,
    (chain_events.VerifierStands(VERIFIER.address, True, 2**80), chain_events.NodeStake(NODE.address, 0)),
    1,
    more=True,
)
UNSIGNED = [
    ADDRESSES,
    *(entry for entry in LOG if isinstance(entry, entries.Derived | facts.Rules)),
    *(
        entry
        for entry in LOG
        if isinstance(entry, facts.Block) and not any(hasattr(e, "verifier") for e in entry.events)
    ),
]


@pytest.mark.parametrize("entry", UNSIGNED, ids=lambda entry: type(entry).__name__)
def test_derived_entries_and_blocks_read_back(entry: Any) -> None:
    assert understood(write(entry)) == entry


def test_every_derived_kind_has_a_name() -> None:
    assert {"round-opened", "panel-drawn", "voided", "posted", "epoch-closed"} < set(DERIVED)


def test_what_each_field_means() -> None:
    words = understood(write(envelope(messages.Verdict)))
    assert words.words == (facts.SegmentWord(3, Word.FALSE, facts.Reason.REPLAY, 5, 6),)
    assert understood(write(envelope(messages.Verdict, witness=b"\0" * 32))).witness == ""
    assert understood(write(envelope(messages.PledgeReveal, fake=2))).fake == 2
    lapse = understood(write(envelope(messages.Lapse)))
    assert lapse.awaited == facts.Awaited(
        What.WORDS, RunId("0x" + RUN.hex()), 1, ProofId("0x" + PROOF.hex()), OTHER.address
    )


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (messages.Enrolment, {"payout": "0x" + "00" * 20}),
        (messages.Lapse, {"what": 8}),
        (messages.Lapse, {"segment": 3}),
        (messages.Verdict, {"words": (replace(WORD, word=5),)}),
        (messages.Verdict, {"words": (replace(WORD, reason=9),)}),
        (messages.RunTerms, {"config": DIGEST}),
        (messages.RunTerms, {"samples": 1}),
        (messages.RunTerms, {"periodSeconds": 9}),
        (messages.RunTerms, {"leaseSeconds": 4}),
        (messages.RunTerms, {"leastRate": 0}),
    ],
    ids=[
        "zero payout",
        "unknown what",
        "segment without look",
        "unknown word",
        "unknown reason",
        "other config",
        "one sample",
        "no time",
        "no lease",
        "no rate",
    ],
)
def test_a_message_that_says_nothing_is_refused(kind: type[Message], changes: dict[str, Any]) -> None:
    with pytest.raises(BadField):
        understood(write(envelope(kind, **changes)))


@pytest.mark.parametrize("name", ["startState", "innerState", "endState", "innerEnd", "root"])
def test_a_commitment_has_its_first_and_last_entry(name: str) -> None:
    """F28: a root over other entries than the named ones is no commitment."""
    with pytest.raises(InvalidTree):
        understood(write(envelope(messages.Commitment, **{name: b"\7" * 32})))


TEXT = write(envelope(messages.Seen))
BLOCK = write(ADDRESSES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        TEXT + " ",
        TEXT.replace('"seen"', '"unseen"'),
        TEXT.replace('"seen"', '"heartbeat"'),
        TEXT.replace('"beside":{}', '"beside":{"more":1}'),
        TEXT.replace('"index":4', '"index":"4"'),
        TEXT.replace('"signatures":[', '"signatures":["0x",'),
        TEXT.replace('"kind":"seen"', '"kind":"block"'),
        '{"kind":"rules","version":5}',
        '{"kind":[]}',
        BLOCK.replace(DIGEST_TEXT, "odd"),
        BLOCK.replace(VERIFIER.address, "v0"),
        BLOCK.replace('"stake":0', '"stake":-1'),
        '{"kind":{}}',
        '{"events":[{"event":[]}],"hash":"h","kind":"block","more":false,"number":1,"parent_time":0,"time":1}',
        '{"kind":"rules","version":"\ud800"}',
        TEXT.replace(RUN.hex(), RUN.hex().replace("01", "0A", 1)),
        TEXT.replace(VERIFIER.address, VERIFIER.address.lower()),
        '{"kind":"left"}',
        '{"events":[{"event":"none"}],"hash":"h","kind":"block","more":false,"number":1,"parent_time":0,"time":1}',
        '{"events":[],"hash":"h","kind":"block","more":false,"number":"1","parent_time":0,"time":1}',
    ],
)
def test_a_changed_leaf_is_refused(text: str) -> None:
    with pytest.raises(CommonweightError):
        understood(text)


def test_signatures_are_sorted_and_each_once() -> None:
    message, _, beside = GIVEN[messages.Contribution]
    signed = {key.address: sign(message, DOMAIN, bytes(key.key)) for key in (VERIFIER, OTHER)}
    ordered = tuple(signed[address] for address in sorted(signed))
    assert understood(write(Envelope(message, ordered, beside))).signers == tuple(sorted(signed))
    for wrong in (ordered[::-1], (ordered[0], ordered[0])):
        with pytest.raises(BadField):
            understood(write(Envelope(message, wrong, beside)))


def test_an_entry_larger_than_a_leaf_is_refused() -> None:
    with pytest.raises(InvalidLeaf):
        write(facts.Rules("x" * LARGEST_LEAF))


@holds(
    "A number that JSON readers round is a string, and each value has one spelling",
    by="contracts/messages/fields.py:to_json",
    against=Threat.FORGED_MESSAGE,
)
@pytest.mark.parametrize("kind", [messages.Enrolment, messages.Seen, messages.Merge], ids=lambda kind: kind.__name__)
def test_only_a_number_that_json_readers_round_is_a_string(kind: type[Message]) -> None:
    """Up to the last one that fits; each has one spelling."""
    field = {"Enrolment": "firstRound", "Seen": "index", "Merge": "heldOutLoss"}[kind.__name__]
    for value, wire in ((2**53 - 1, 2**53 - 1), (2**53, str(2**53)), (2**64 - 1, str(2**64 - 1))):
        text = write(envelope(kind, **{field: value}))
        assert json.loads(text)["message"][field] == wire
        assert understood(text)
        with pytest.raises((BadField, InvalidLeaf)):
            understood(text.replace(json.dumps(wire), str(value) if isinstance(wire, str) else f'"{value}"'))
    with pytest.raises(BadField):
        understood(text.replace(str(2**64 - 1), str(2**64)))


def test_a_configuration_has_one_text() -> None:
    message, key, beside = GIVEN[messages.RunTerms]
    spaced = {"config": beside["config"].replace(",", ", ", 1)}
    with pytest.raises(BadField):
        understood(write(Envelope(message, (sign(message, DOMAIN, bytes(key.key)),), spaced)))


def test_a_contribution_names_an_account() -> None:
    with pytest.raises(BadField):
        understood(write(envelope(messages.Contribution, account="0x" + "00" * 20)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "0x" + "00" * 20),
        ("provider", "Lambda"),
        ("provider", "lambda "),
        ("machine", "i 07"),
        ("machine", " i-07"),
        ("machine", "i-07\\u0000"),
        ("nodes", (NODE.address.lower(),)),
        ("renter", VERIFIER.address.lower()),
    ],
)
def test_an_invoice_has_one_spelling(field: str, value: object) -> None:
    """Hours are counted once by the names of keys and machines."""
    with pytest.raises((BadField, InvalidLeaf)):
        understood(write(envelope(messages.Invoice, **{field: value})))


@pytest.mark.parametrize("machine", ["i-07\u00e9", "\u0456-07", "i-07\n", ""])
def test_a_machines_name_is_ascii(machine: str) -> None:
    """A letter that looks like another one would be another machine."""
    with pytest.raises(BadField):
        replace(INVOICE, machine=machine)


@pytest.mark.parametrize(("kind", "most"), [(messages.Invoice, 34), (messages.Contribution, 32), (messages.Has, 32)])
def test_all_maintainers_and_an_invoices_own_may_sign(kind: type[Message], most: int) -> None:
    """Thirty-two maintainers, and of an invoice renter and account beside them."""
    given = envelope(kind)
    for count in (most, most + 1):
        body = {"kind": slug(kind), **replace(given, signatures=given.signatures * count).body()}
        with pytest.raises((BadField, BadSignature) if count == most else InvalidLeaf, match=r"sign|between 1 and"):
            understood(canonical(body))


def test_an_invoice_says_what_was_paid() -> None:
    fact = understood(write(envelope(messages.Invoice)))
    assert (fact.first, fact.end, fact.amount, fact.payback) == (9, 12, 7_500_000, False)
    assert (fact.renter, fact.account, fact.nodes) == (VERIFIER.address, OTHER.address, (NODE.address,))
    assert fact.signers == (VERIFIER.address,)
