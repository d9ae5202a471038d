"""A receipt checked by its owner: what holds offline and on the chain, and one corrupted receipt per way to lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from eth_utils import keccak

from contracts.errors import CommonweightError
from contracts.messages import EpochRoot, StepProof, TreeHead, from_json, to_json
from contracts.positional_tree import SHA256_TREE
from contracts.receipt import Contracts, Receipt
from contracts.signing import digest, sign
from tests.world import REJECT, World, hexed
from verifier.receipt import Findings, check_receipt

pytestmark = pytest.mark.integration
Body = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Epoch 1 is final: the first node's proof was posted and its wallet is paid, the second's was voided."""
    with World(tmp_path_factory.mktemp("receipt")) as made:
        made.start()
        good, bad = (made.commit(node) for node in made.nodes)
        made.step()
        made.decide(good)
        made.decide(bad, REJECT)
        made.step()
        made.close_round()
        made.settle_epoch()
        yield made


@pytest.fixture(scope="module")
def receipt(world: World) -> Body:
    return dict(world.get(f"/receipts/1/{world.wallets[0].address}"))


def check(world: World, body: Body, **other: Any) -> Findings:
    trust = {"trusted": Contracts.of(world.place.deployment), "operator": world.operator.address, **other}
    return check_receipt(Receipt.from_json(json.dumps(body)), **trust)


def test_a_true_receipt_holds_without_a_network(world: World, receipt: Body) -> None:
    found = check(world, receipt)
    kinds = [json.loads(entry["body"])["kind"] for entry in receipt["entries"]]
    assert kinds == ["proof-submitted", "proof-posted", "epoch-closed"]
    assert [line.split(":")[0] for line in found.holds] == [
        "contracts", "head", "history", "entries", "closing", "work", "payout", "signatures",
    ]  # fmt: skip
    assert any("1000 units" in line for line in found.holds)
    assert any("posted" in line for line in found.holds)
    assert any("2 under the root" in line for line in found.holds)
    assert len(found.unchecked) == 2
    assert "the chain has this root" in found.unchecked[0]
    assert "the account's share" in found.unchecked[1]


def test_what_was_not_brought_along_is_said_to_be_unchecked(world: World, receipt: Body) -> None:
    found = check(world, receipt, trusted=None, operator=None)
    assert any("give --deployment" in line for line in found.unchecked)
    assert any(world.operator.address in line and "give --operator" in line for line in found.unchecked)
    assert not any(line.startswith("contracts") for line in found.holds)


def test_a_later_head_still_proves_an_earlier_epoch(world: World, receipt: Body) -> None:
    assert receipt["head"]["message"]["logSize"] > receipt["epoch"]["logSize"]
    assert receipt["consistency"]


def test_voided_work_has_a_receipt_that_says_why(world: World) -> None:
    body = world.get(f"/receipts/1/{world.wallets[1].address.lower()}")
    found = check(world, body)
    assert any("voided for replay-mismatch" in line for line in found.holds)
    assert any(line == f"payout: none for {world.wallets[1].address}" for line in found.holds)


def test_who_did_nothing_has_no_receipt(world: World) -> None:
    for number, account in ((1, world.stranger.address), (7, world.wallets[0].address)):
        answer = world.client.get(f"/v1/receipts/{number}/{account}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_the_chain_says_whether_it_is_final_and_paid(world: World, receipt: Body) -> None:
    w3 = world.place.w3
    found = check(world, receipt, w3=w3)
    assert any("is final there" in line for line in found.holds)
    assert any("not claimed yet" in line for line in found.holds)
    world.claim(world.wallets[0].address)
    assert any("are paid" in line for line in check(world, receipt, w3=w3).holds)


def test_an_epoch_that_is_not_on_the_chain_is_said_to_be_unchecked(world: World, receipt: Body) -> None:
    """A node whose chain has not come so far: the same registry, asked before anything was proposed."""
    world.play_round()
    body = world.get(f"/receipts/2/{world.wallets[0].address}")
    found = check(world, body, w3=world.place.w3)
    assert any("the chain has none yet" in line for line in found.unchecked)
    assert not any(line.startswith("chain") for line in found.holds)


# ---- one corrupted receipt for each way to lie

Change = Callable[[World, Body], None]


def _set(*path: Any, to: Any) -> Change:
    def change(_world: World, body: Body) -> None:
        place = body
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def _flip(*path: Any) -> Change:
    """Another last hex digit."""

    def change(_world: World, body: Body) -> None:
        place = body
        for step in path[:-1]:
            place = place[step]
        text = place[path[-1]]
        place[path[-1]] = text[:-1] + ("0" if text[-1] != "0" else "1")

    return change


def _drop(*path: Any) -> Change:
    def change(_world: World, body: Body) -> None:
        place = body
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


def _head_by_a_stranger(world: World, body: Body) -> None:
    head = from_json(TreeHead, body["head"]["message"])
    body["head"]["signature"] = hexed(sign(head, world.domain, bytes(world.stranger.key)))


def _head_over_another_log(world: World, body: Body) -> None:
    """The operator signs a second history: it has no path from the one that is on the chain."""
    head = replace(from_json(TreeHead, body["head"]["message"]), logRoot=keccak(b"another history"))
    signature = hexed(sign(head, world.domain, bytes(world.operator.key)))
    body["head"] = {"message": to_json(head), "signature": signature}


def _forge_log(change: Callable[[Body], Body | list[Body]]) -> Change:
    """The operator makes up a whole log of the receipt's entries alone, changed, and signs its head."""

    def forge(world: World, body: Body) -> None:
        changed = [change(json.loads(entry["body"])) for entry in body["entries"]]
        listed = [entry for made in changed for entry in (made if isinstance(made, list) else [made])]
        leaves = [json.dumps(entry).encode() for entry in listed]
        root, size = SHA256_TREE.root(leaves), len(leaves)
        epoch = replace(from_json(EpochRoot, body["epoch"]), logSize=size, logRoot=root)
        head = TreeHead(size, root, 1)
        body["epoch"], body["consistency"], body["signatures"] = to_json(epoch), [], {}
        body["head"] = {
            "message": to_json(head),
            "signature": hexed(sign(head, world.domain, bytes(world.operator.key))),
        }
        body["entries"] = [
            {"index": i, "body": leaf.decode(), "path": [hexed(n) for n in SHA256_TREE.inclusion_proof(leaves, i)]}
            for i, leaf in enumerate(leaves)
        ]

    return forge


def _of(kind: str, **fields: Any) -> Callable[[Body], Body]:
    return lambda entry: {**entry, **fields} if entry["kind"] == kind else entry


def _appealed(
    upheld: bool, decided_round: int = 1, voided: bool = True, account: str = ""
) -> Callable[[Body], Body | list[Body]]:
    """The proof was voided, and an appeal was decided about it."""

    def change(entry: Body) -> Body | list[Body]:
        if entry["kind"] != "proof-posted":
            return entry
        void = {"kind": "proof-voided", "proof": entry["proof"], "reason": "replay-mismatch"}
        ruling = {"kind": "appeal-decided", "proof": entry["proof"], "message": {"upheld": upheld}}
        restored = {"decided_round": decided_round, "account": account or entry["account"]}
        return [*([void] if voided else []), ruling | restored]

    return change


def _signed_by_another(world: World, body: Body) -> None:
    """A made-up proof of the node, under a stranger's signature."""
    said = next(e for e in map(json.loads, (e["body"] for e in body["entries"])) if e["kind"] == "proof-submitted")
    message = from_json(StepProof, said["message"])
    forged = hexed(sign(message, world.domain, bytes(world.stranger.key)))
    _forge_log(_of("proof-submitted", signature=forged))(world, body)


def _more_tokens(world: World, body: Body) -> None:
    """Node and operator in league: a proof of more work than the log's entry credits."""
    node = world.nodes[0]
    said = next(e for e in map(json.loads, (e["body"] for e in body["entries"])) if e["kind"] == "proof-submitted")
    message = replace(from_json(StepProof, said["message"]), tokens=10**6)
    key = hexed(digest(message, world.domain))
    signature = hexed(sign(message, world.domain, bytes(node.key)))
    fields = {"message": to_json(message), "signature": signature, "proof": key}

    def change(entry: Body) -> Body:
        return {**_of("proof-submitted", **fields)(entry), "proof": key} if "proof" in entry else entry

    _forge_log(change)(world, body)


def _line_twice(_world: World, body: Body) -> None:
    body["payouts"] *= 2


def _cosigned_by_a_stranger(world: World, body: Body) -> None:
    signature = sign(from_json(EpochRoot, body["epoch"]), world.epoch_domain, bytes(world.stranger.key))
    body["signatures"][world.verifiers[2].address] = hexed(signature)


OTHER = "0x" + "07" * 32
NOBODY = "0x" + "07" * 20
LIES: dict[str, tuple[str, Change]] = {
    "no receipt at all": ("receipt-malformed", _drop("payouts")),
    "a field more": ("receipt-malformed", _set("note", to="trust me")),
    "another format": ("receipt-malformed", _set("format", to="commonweight-receipt-2")),
    "an amount that is a number": ("receipt-malformed", _set("payouts", 0, "amount", to=1000)),
    "an amount beyond uint256": ("receipt-malformed", _set("payouts", 0, "amount", to="9" * 78)),
    "an index below zero": ("receipt-malformed", _set("entries", 0, "index", to=-1)),
    "a short node": ("receipt-malformed", _set("entries", 0, "path", 0, to="0x07")),
    "a root without its total": ("receipt-malformed", _drop("epoch", "total")),
    "a head without its time": ("receipt-malformed", _drop("head", "message", "timestamp")),
    "another model": ("receipt-foreign", _set("epoch", "model", to=OTHER)),
    "another token": ("receipt-foreign", _set("contracts", "token", to=NOBODY)),
    "another distributor": ("receipt-foreign", _set("contracts", "distributor", to=NOBODY)),
    "another registry": ("receipt-foreign", _set("contracts", "verifier_registry", to=NOBODY)),
    "another chain": ("receipt-foreign", _set("contracts", "chain_id", to=1)),
    "a head signed by a stranger": ("receipt-head-unsigned", _head_by_a_stranger),
    "a head of another size": ("receipt-head-unsigned", _set("head", "message", "logSize", to=10**6)),
    "a signature of zeros": ("receipt-head-unsigned", _set("head", "signature", to="0x" + "00" * 65)),
    "a head over another history": ("receipt-history-broken", _head_over_another_log),
    "a bit of the history's path": ("receipt-history-broken", _flip("consistency", 0)),
    "a node of the history's path left out": ("receipt-history-broken", _drop("consistency", 0)),
    "no path at all": ("receipt-history-broken", _set("consistency", to=[])),
    "another log under the root": ("receipt-history-broken", _set("epoch", "logRoot", to=OTHER)),
    "an epoch of no log": ("receipt-history-broken", _set("epoch", "logSize", to=0)),
    "a changed entry": ("receipt-entry-unproven", _set("entries", 1, "body", to='{"kind":"proof-posted"}')),
    "an entry of another index": ("receipt-entry-unproven", _set("entries", 1, "index", to=0)),
    "an entry beyond the epoch": ("receipt-entry-unproven", _set("entries", 1, "index", to=10**6)),
    "a bit of an entry's path": ("receipt-entry-unproven", _flip("entries", 0, "path", 2)),
    "a node of an entry's path left out": ("receipt-entry-unproven", _drop("entries", 0, "path", 0)),
    "the closing left out": ("receipt-closing-differs", _drop("entries", 2)),
    "another root than the log's": ("receipt-closing-differs", _set("epoch", "root", to=OTHER)),
    "another total than the log's": ("receipt-closing-differs", _set("epoch", "total", to="1001")),
    "another count than the log's": ("receipt-closing-differs", _set("epoch", "count", to=2)),
    "another epoch than the log's": ("receipt-closing-differs", _set("epoch", "epoch", to=2)),
    "another account": ("receipt-work-differs", _set("account", to=NOBODY)),
    "the proof's own entry left out": ("receipt-work-differs", _drop("entries", 0)),
    "a proof signed by a stranger": ("receipt-work-differs", _signed_by_another),
    "more work credited than proven": ("receipt-work-differs", _forge_log(_of("proof-posted", work=10**6))),
    "more work proven than credited": ("receipt-work-differs", _more_tokens),
    "credited in another epoch's rounds": ("receipt-work-differs", _forge_log(_of("epoch-closed", first_round=2))),
    "of another run": ("receipt-work-differs", _forge_log(_of("epoch-closed", run=OTHER))),
    "another proof's posting": ("receipt-work-differs", _forge_log(_of("proof-posted", proof=OTHER))),
    "restored in another epoch's rounds": ("receipt-work-differs", _forge_log(_appealed(True, 2))),
    "another node's restored work": ("receipt-work-differs", _forge_log(_appealed(True, account=OTHER[:42]))),
    "an appeal on what was not voided": ("receipt-work-differs", _forge_log(_appealed(True, voided=False))),
    "decided twice": ("receipt-work-differs", _forge_log(lambda e: [e, e] if e["kind"] == "proof-posted" else e)),
    "an entry that says nothing": ("receipt-malformed", _forge_log(_of("proof-posted", account=None))),
    "another amount": ("receipt-payout-unproven", _set("payouts", 0, "amount", to="1001")),
    "another index": ("receipt-payout-unproven", _set("payouts", 0, "index", to=1)),
    "another kind": ("receipt-payout-unproven", _set("payouts", 0, "kind", to=1)),
    "a proof too long": ("receipt-payout-unproven", _set("payouts", 0, "proof", to=[OTHER])),
    "a line twice": ("receipt-payout-unproven", _line_twice),
    "a verifier's name under a stranger's signature": ("receipt-cosignature-broken", _cosigned_by_a_stranger),
    "another attempt": ("receipt-cosignature-broken", _set("epoch", "attempt", to=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused(world: World, receipt: Body, name: str) -> None:
    code, change = LIES[name]
    body = deepcopy(receipt)
    change(world, body)
    assert body != receipt
    with pytest.raises(CommonweightError) as refused:
        check(world, body)
    assert refused.value.code == code, refused.value.detail


def test_a_log_made_up_as_it_was_is_no_lie(world: World, receipt: Body) -> None:
    """The forger's own tool: unchanged entries pass, so that the refusals above are for what was changed."""
    body = deepcopy(receipt)
    _forge_log(lambda entry: entry)(world, body)
    check(world, body)


@pytest.mark.parametrize(
    ("upheld", "shown"), [(True, "restored by appeal"), (False, "voided for replay-mismatch, appeal dismissed")]
)
def test_an_appeal_is_shown_with_its_outcome(world: World, receipt: Body, upheld: bool, shown: str) -> None:
    body = deepcopy(receipt)
    _forge_log(_appealed(upheld))(world, body)
    assert any(f"tokens of round 1, {shown} (" in line for line in check(world, body).holds)


def test_a_log_that_the_chain_does_not_anchor_is_found_by_asking_the_chain(world: World, receipt: Body) -> None:
    """Offline nobody can tell a second history that its operator signed; the chain has one."""
    body = deepcopy(receipt)
    _forge_log(lambda entry: entry)(world, body)
    with pytest.raises(CommonweightError) as refused:
        check(world, body, w3=world.place.w3)
    assert refused.value.code == "receipt-chain-differs"


def test_every_kind_of_lie_has_its_code() -> None:
    assert {code for code, _ in LIES.values()} | {"receipt-chain-differs"} == {
        "receipt-malformed", "receipt-foreign", "receipt-head-unsigned", "receipt-history-broken",
        "receipt-entry-unproven", "receipt-closing-differs", "receipt-work-differs", "receipt-payout-unproven",
        "receipt-cosignature-broken", "receipt-chain-differs",
    }  # fmt: skip
