"""A receipt holds without a network; one thing changed in it is refused, each with its code."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.bindings.verifier_registry import EpochState, EpochStatus
from contracts.protocol.receipt import Contracts, MalformedReceipt, Receipt
from contracts.tlog.policy import Policy
from tests.contracts.protocol.log.signed_run import DOMAIN
from tests.verifier.receipt.broken import BROKEN, body, reproven
from tests.verifier.receipt.made import Made, make
from verifier.receipt import checking
from verifier.receipt.checking import check_receipt
from verifier.receipt.errors import ReceiptRefused

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def receipt(made: Made) -> Receipt:
    return made.save()


def trusted(made: Made) -> Contracts:
    return Contracts.of(made.deployment)


def test_all_of_it_holds_offline(made: Made, receipt: Receipt) -> None:
    found = check_receipt(Receipt.from_json(receipt.model_dump_json()), trusted(made), made.policy())
    said = "\n".join(found.holds)
    for start in (
        "contracts: those of",
        "entries: 4 stand",
        "history: ",
        "closing: ",
        "work: ",
        "payout: ",
        "signatures: 2",
    ):
        assert start in said
    assert ", posted (0x" in said
    assert all(name in said for name in made.names[:2])
    assert len(found.leaves) == 1
    assert [line.split(":")[0] for line in found.unchecked] == [
        "that the signers are verifiers, and the chain has this root, final and paid",
        "that the amount is the account's share",
    ]


def test_what_nobody_brought_is_named(receipt: Receipt) -> None:
    unchecked = check_receipt(receipt).unchecked
    assert [line.rpartition("--")[2] for line in unchecked[:3]] == ["deployment, from elsewhere", "policy", "rpc-url"]
    assert len(unchecked) == 4


def test_the_tools_of_these_tests_change_nothing_by_themselves(made: Made, receipt: Receipt) -> None:
    changed = body(receipt)
    reproven(made, changed, list(made.run.leaves))
    check_receipt(Receipt.from_json(json.dumps(changed)), trusted(made), made.policy())


@pytest.mark.parametrize("name", BROKEN)
def test_one_thing_changed_is_refused_with_its_code(made: Made, receipt: Receipt, name: str) -> None:
    change, code = BROKEN[name]
    changed = body(receipt)
    change(made, changed)
    with pytest.raises(ReceiptRefused) as refused:
        check_receipt(Receipt.from_json(json.dumps(changed)), trusted(made), made.policy())
    assert refused.value.code == code, refused.value.detail


def test_every_code_has_a_receipt_that_earns_it() -> None:
    codes = {kind.code for kind in ReceiptRefused.__subclasses__()}
    assert {code for _, code in BROKEN.values()} | {"receipt-chain-differs"} == codes


@pytest.mark.parametrize(
    "change", [{"format": "commonweight-receipt-1"}, {"extra": 1}, {"epoch": {}}, {"payouts": [{}]}, {"account": "me"}]
)
def test_what_is_no_receipt_is_malformed(receipt: Receipt, change: dict[str, Any]) -> None:
    with pytest.raises(MalformedReceipt):
        check_receipt(Receipt.from_json(json.dumps(body(receipt) | change)))
    with pytest.raises(MalformedReceipt):
        Receipt.from_json("not a receipt")


def test_ones_own_policy_is_not_the_receipts(made: Made, receipt: Receipt) -> None:
    """A receipt that names whom it likes holds for who believes it, and for nobody who brings a policy."""
    own = made.policy()
    strict = Policy(own.logs, own.witnesses, (replace(own.groups[0], threshold=3),), own.quorum)
    changed = body(receipt)
    changed["entries"] = body(made.save())["entries"]
    for given in changed["entries"]:
        lines = [x for x in given["proof"].split("\n") if not x.startswith(f"— {made.names[2]} ")]
        given["proof"] = "\n".join(lines)
    two = Receipt.from_json(json.dumps(changed))
    check_receipt(two, trusted(made), own)
    with pytest.raises(ReceiptRefused, match="asks for others") as refused:
        check_receipt(two, trusted(made), strict)
    assert refused.value.code == "receipt-head-unsigned"


# ---- on a chain

ON_CHAIN = {"status": EpochStatus.FINAL, "attempt": 0, "closes_at": 0, "early": False, "settled_at": 0}


def chain(
    made: Made,
    monkeypatch: pytest.MonkeyPatch,
    verifiers: list[str] | None = None,
    k: int = 2,
    paid: bool = True,
    **changes: Any,
) -> Any:
    root = made.root()
    said: dict[str, Any] = {"root": root.root, "total": root.total, "count": root.count}
    said |= {"log_size": root.logSize, "log_root": root.logRoot, "challenger": "", "challenged_at": 0, "disputes": 0}
    state = EpochState(**(ON_CHAIN | said | changes))

    class Registry:
        def __init__(self, *_: Any) -> None: ...

        def verifiers(self) -> list[str]:
            return made.names if verifiers is None else verifiers

        def threshold(self) -> int:
            return k

        def epoch_of(self, epoch: int) -> EpochState:
            return state

    distributor = SimpleNamespace(is_claimed=lambda epoch, index: paid)
    monkeypatch.setattr(checking, "VerifierRegistry", Registry)
    monkeypatch.setattr(checking, "EpochDistributor", lambda *_: distributor)
    return SimpleNamespace(eth=SimpleNamespace(chain_id=DOMAIN.chain_id))


def test_the_chain_says_whether_it_is_final_and_paid(
    made: Made, receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    w3 = chain(made, monkeypatch)
    found = check_receipt(receipt, trusted(made), made.policy(), w3)
    assert "chain: epoch 1 is final there, with this root and this log" in found.holds
    assert found.holds[-1].endswith("are paid")
    assert len(found.unchecked) == 1
    w3 = chain(made, monkeypatch, paid=False, status=EpochStatus.PROPOSED)
    found = check_receipt(receipt, trusted(made), made.policy(), w3)
    assert "chain: epoch 1 is proposed there, with this root and this log" in found.holds
    assert found.holds[-1].endswith("are not claimed yet")


@pytest.mark.parametrize("changes", [{"root": b"\1" * 32}, {"total": 1}, {"log_root": b"\1" * 32}, {"log_size": 3}])
def test_another_root_of_the_chain_is_refused(
    made: Made, receipt: Receipt, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    w3 = chain(made, monkeypatch, **changes)
    with pytest.raises(ReceiptRefused) as refused:
        check_receipt(receipt, trusted(made), made.policy(), w3)
    assert refused.value.code == "receipt-chain-differs"


def test_a_chain_without_the_epoch_cannot_tell_yet(
    made: Made, receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    w3 = chain(made, monkeypatch, status=EpochStatus.NONE)
    found = check_receipt(receipt, trusted(made), made.policy(), w3)
    assert any("the chain has none yet" in line for line in found.unchecked)


def test_a_node_of_another_chain_is_refused(made: Made, receipt: Receipt, monkeypatch: pytest.MonkeyPatch) -> None:
    w3 = chain(made, monkeypatch)
    w3.eth.chain_id = 7
    with pytest.raises(ReceiptRefused, match="of chain 7"):
        check_receipt(receipt, trusted(made), made.policy(), w3)


def test_who_is_no_verifier_any_more_is_said(made: Made, receipt: Receipt, monkeypatch: pytest.MonkeyPatch) -> None:
    w3 = chain(made, monkeypatch, made.names[1:], 3)
    found = check_receipt(receipt, trusted(made), made.policy(), w3)
    assert "chain: 1 of 2 who signed the root are verifiers now, and 2 of 3 whose heads count" in found.holds
    assert any("the policy asks for 2, the chain for 3" in line for line in found.unchecked)
