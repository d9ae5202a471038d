"""Receipts with one thing wrong in each, and the code that each is refused with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from contracts.ids import to_hex
from contracts.messages.for_contracts import EpochRoot, from_json
from contracts.messages.signatures import Domain, sign
from contracts.protocol.log.codec import canonical
from contracts.protocol.receipt import Receipt
from contracts.tlog.cosignature import cosign
from contracts.tlog.proof import prove
from tests.contracts.protocol.log.signed_run import DOMAIN
from tests.trainer.world import log_key
from tests.verifier.log.files import OPERATOR, cosigned, head_of, tree_of
from tests.verifier.receipt.made import STRANGER, Made


def body(receipt: Receipt) -> dict[str, Any]:
    """As JSON, to be changed."""
    return dict(json.loads(receipt.model_dump_json()))


def entry(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first entry of a kind."""
    return next(e for e in body["entries"] if json.loads(e["body"])["kind"] == kind)


def rewritten(made: Made, body: dict[str, Any], kind: str, **fields: Any) -> None:
    """An entry that an operator wrote otherwise, in a log that k verifiers would have signed."""
    leaves = list(made.run.leaves)
    index = leaves.index(entry(body, kind)["body"])
    leaves[index] = canonical(json.loads(leaves[index]) | fields)
    entry(body, kind)["body"] = leaves[index]
    reproven(made, body, leaves)


def reproven(made: Made, body: dict[str, Any], leaves: list[str]) -> None:
    """All proofs anew, over these leaves."""
    tree, note = tree_of(leaves), cosigned(leaves, *made.names)
    for given in body["entries"]:
        given["proof"] = prove(tree.stored, leaves.index(given["body"]), note).format().decode()
    size = int(body["epoch"]["logSize"])
    body["consistency"] = [to_hex(node) for node in tree.stored.consistency_proof(size, len(leaves))]
    body["epoch"]["logRoot"] = to_hex(tree.root(size))
    resigned(made, body)


def resigned(made: Made, body: dict[str, Any]) -> None:
    """The epoch's root under two verifiers' signatures anew."""
    root = from_json(EpochRoot, body["epoch"])
    domain = Domain(DOMAIN.chain_id, made.deployment.verifier_registry)
    body["signatures"] = {v.address: to_hex(sign(root, domain, bytes(v.key))) for v in made.run.verifiers[:2]}


def _flip_proof(made: Made, b: dict[str, Any]) -> None:
    lines = b["entries"][0]["proof"].split("\n")
    lines[2], lines[3] = lines[3], lines[2]
    b["entries"][0]["proof"] = "\n".join(lines)


def _other_index(made: Made, b: dict[str, Any]) -> None:
    b["entries"][0]["proof"] = b["entries"][0]["proof"].replace("index ", "index 1", 1)


def _one_head_less(made: Made, b: dict[str, Any]) -> None:
    """Under a head that one verifier signed, though two have to."""
    tree, note = tree_of(made.run.leaves), cosigned(made.run.leaves, made.names[0])
    for given in b["entries"]:
        given["proof"] = prove(tree.stored, made.run.leaves.index(given["body"]), note).format().decode()


def _forged_cosignature(made: Made, b: dict[str, Any]) -> None:
    tree, note = tree_of(made.run.leaves), head_of(made.run.leaves)
    forged = [cosign(note.text, name, log_key(name), 1) for name in made.names]
    forged[0] = replace(forged[0], signature=forged[1].signature)
    for given in b["entries"]:
        index = made.run.leaves.index(given["body"])
        given["proof"] = prove(tree.stored, index, note.adding(*forged)).format().decode()


def _no_operator(made: Made, b: dict[str, Any]) -> None:
    for given in b["entries"]:
        lines = given["proof"].split("\n")
        given["proof"] = "\n".join(line for line in lines if not line.startswith(f"— {OPERATOR.name} "))


def _stolen(made: Made, b: dict[str, Any]) -> None:
    """Somebody else's receipt under one's own name."""
    b["account"] = STRANGER


def _other_root(made: Made, b: dict[str, Any]) -> None:
    b["epoch"]["root"] = "0x" + "22" * 32
    resigned(made, b)


def _without(kind: str) -> Callable[[Made, dict[str, Any]], None]:
    def change(made: Made, b: dict[str, Any]) -> None:
        b["entries"].remove(entry(b, kind))

    return change


def _line(**fields: Any) -> Callable[[Made, dict[str, Any]], None]:
    def change(made: Made, b: dict[str, Any]) -> None:
        b["payouts"][0] |= fields

    return change


def _more_tokens(made: Made, b: dict[str, Any]) -> None:
    rewritten(made, b, "posted", tokens=10**6)


def _posted_to_another(made: Made, b: dict[str, Any]) -> None:
    rewritten(made, b, "posted", account=STRANGER)


def _unsigned_commitment(made: Made, b: dict[str, Any]) -> None:
    given = json.loads(entry(b, "commitment")["body"])["message"]
    rewritten(made, b, "commitment", message=given | {"tokens": given["tokens"] + 1})


def _other_lines(made: Made, b: dict[str, Any]) -> None:
    closed = json.loads(entry(b, "epoch-closed")["body"])
    lines = [line | {"account": STRANGER} for line in closed["lines"][:1]] + closed["lines"][1:]
    rewritten(made, b, "epoch-closed", lines=lines)


def _signature_of_another(made: Made, b: dict[str, Any]) -> None:
    first, second = list(b["signatures"])
    b["signatures"][first] = b["signatures"][second]


def _anchor(made: Made, b: dict[str, Any]) -> None:
    given = json.loads(b["anchors"][0])
    given["message"]["logKey"] = to_hex(log_key("somebody").public)
    b["anchors"][0] = canonical(given)


def _no_anchor(made: Made, b: dict[str, Any]) -> None:
    b["anchors"] = b["anchors"][1:]


BROKEN: dict[str, tuple[Callable[[Made, dict[str, Any]], None], str]] = {
    "another-model": (lambda m, b: b["epoch"].update(model="0x" + "01" * 32), "receipt-foreign"),
    "other-contracts": (lambda m, b: b["contracts"].update(distributor=STRANGER), "receipt-foreign"),
    "another-log": (
        lambda m, b: b["contracts"].update(log=OPERATOR.public.vkey().replace("commonweight", "elsewhere")),
        "receipt-foreign",
    ),
    "hashes-swapped": (_flip_proof, "receipt-entry-unproven"),
    "another-index": (_other_index, "receipt-entry-unproven"),
    "another-body": (
        lambda m, b: entry(b, "posted").update(body=entry(b, "posted")["body"].replace('"tokens":', '"tokens":1')),
        "receipt-entry-unproven",
    ),
    "no-proof": (lambda m, b: b["entries"][0].update(proof="nothing"), "receipt-head-unsigned"),
    "one-head-less": (_one_head_less, "receipt-head-unsigned"),
    "forged-cosignature": (_forged_cosignature, "receipt-head-unsigned"),
    "no-operator": (_no_operator, "receipt-head-unsigned"),
    "no-path": (lambda m, b: b.update(consistency=b["consistency"][1:]), "receipt-history-broken"),
    "another-log-root": (lambda m, b: b["epoch"].update(logRoot="0x" + "03" * 32), "receipt-history-broken"),
    "another-root": (_other_root, "receipt-closing-differs"),
    "no-closing": (_without("epoch-closed"), "receipt-closing-differs"),
    "other-lines": (_other_lines, "receipt-closing-differs"),
    "no-enrolment": (_without("enrolment"), "receipt-work-differs"),
    "no-commitment": (_without("commitment"), "receipt-work-differs"),
    "stolen": (_stolen, "receipt-work-differs"),
    "more-tokens": (_more_tokens, "receipt-work-differs"),
    "posted-to-another": (_posted_to_another, "receipt-work-differs"),
    "unsigned-commitment": (_unsigned_commitment, "receipt-work-differs"),
    "larger-amount": (_line(amount="10"), "receipt-payout-unproven"),
    "another-line": (_line(index=7), "receipt-payout-unproven"),
    "another-kind": (_line(kind=1), "receipt-payout-unproven"),
    "line-twice": (lambda m, b: b["payouts"].append(b["payouts"][0]), "receipt-payout-unproven"),
    "line-hidden": (lambda m, b: b["payouts"].clear(), "receipt-payout-unproven"),
    "signature-of-another": (_signature_of_another, "receipt-cosignature-broken"),
    "anchor-of-another-key": (_anchor, "receipt-anchor-broken"),
    "no-anchor": (_no_anchor, "receipt-anchor-broken"),
    "no-policy": (lambda m, b: b.update(policy="nothing\n"), "receipt-anchor-broken"),
}
