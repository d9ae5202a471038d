"""A receipt of a signed run as `receipt save` makes it, from a log of static files and mirrors that sign its head."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from contracts.chain.deployment import Deployment
from contracts.ids import to_hex
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.messages.for_contracts import EpochRoot, to_json
from contracts.messages.for_log import Commitment
from contracts.messages.signatures import Domain, digest, sign
from contracts.protocol.log.signed import read_envelope
from contracts.protocol.receipt import Receipt
from contracts.tlog.note import SignedNote
from contracts.tlog.policy import Policy
from contracts.tlog.policy_text import parse_policy
from contracts.tlog.tiles import Tile
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL, SignedRun, key
from tests.verifier.log.files import KeyedRun, cosigned, deployment, tree_of, write_log
from tests.wire import Typed
from trainer.client import ApiClient
from verifier.receipt import cosigned_log
from verifier.receipt.cosigned_log import VerifierQuorum
from verifier.receipt.saving import save_receipt


@dataclass
class Mirror:
    """Shows these heads one after the other, the last for ever; an error is raised."""

    shown: list[SignedNote | Exception]
    name: str = "a mirror"

    def checkpoint(self) -> bytes:
        """The next one."""
        found = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        if isinstance(found, Exception):
            raise found
        return found.format()

    def tile(self, tile: Tile) -> bytes:
        """Nothing is read here."""
        raise AssertionError(tile)

    def mirrors(self) -> bytes:
        """None."""
        return b""


@dataclass
class Made:
    """A run whose epoch is final, and all that a receipt of its first node is made of."""

    run: SignedRun
    folder: Path
    account: str
    deployment: Deployment

    @property
    def names(self) -> list[str]:
        """The verifiers."""
        return [verifier.address for verifier in self.run.verifiers]

    def closing(self) -> int:
        """Index of the entry that closes the epoch."""
        return next(i for i, leaf in enumerate(self.run.leaves) if json.loads(leaf)["kind"] == "epoch-closed")

    def root(self) -> EpochRoot:
        """What verifiers sign."""
        index = self.closing()
        closed = json.loads(self.run.leaves[index])
        log_root = tree_of(self.run.leaves).root(index + 1)
        count, total = len(closed["lines"]), int(closed["total"])
        return EpochRoot(
            MODEL,
            1,
            0,
            bytes.fromhex(closed["root"][2:]),
            total,
            count,
            index + 1,
            log_root,
            1,
            int(closed["deadline"]),
        )

    def payouts(self) -> list[dict[str, Any]]:
        """The account's lines."""
        lines = json.loads(self.run.leaves[self.closing()])["lines"]
        place = (DOMAIN.chain_id, self.deployment.distributor, 1)
        leaves = [Payout(*place, i, x["account"], x["kind"], int(x["amount"])) for i, x in enumerate(lines)]
        tree = PayoutTree.of(leaf.leaf() for leaf in leaves)
        own = [leaf for leaf in leaves if leaf.account.lower() == self.account.lower()]
        return [
            {
                "index": x.index,
                "kind": x.kind,
                "amount": str(x.amount),
                "proof": [to_hex(node) for node in tree.proof(x.leaf())],
            }
            for x in own
        ]

    def answer(self) -> dict[str, Any]:
        """As the server gives it."""
        entries = {index: json.loads(leaf) for index, leaf in enumerate(self.run.leaves)}
        own = {i: e for i, e in entries.items() if e.get("message", {}).get("node") == self.run.nodes[0].address}
        found = [i for i, e in own.items() if e["kind"] in ("commitment", "enrolment")]
        proofs = [_digest(self.run.leaves[i]) for i, e in own.items() if e["kind"] == "commitment"]
        found += [i for i, e in entries.items() if e["kind"] == "posted" and e["proof"] in proofs]
        domain = Domain(DOMAIN.chain_id, self.deployment.verifier_registry)
        signed = {v.address: to_hex(sign(self.root(), domain, bytes(v.key))) for v in self.run.verifiers[:2]}
        anchors = [i for i, leaf in enumerate(self.run.leaves) if json.loads(leaf)["kind"] == "verifier-anchor"]
        return {
            "epoch": to_json(self.root()),
            "state": "final",
            "signatures": signed,
            "entries": sorted([*found, self.closing()]),
            "anchors": anchors,
            "payouts": self.payouts(),
        }

    def policy(self) -> Policy:
        """Whose heads count."""
        return parse_policy(self.save().policy.encode())

    def save(self, mirrors: dict[str, Mirror] | None = None, answer: dict[str, Any] | None = None) -> Receipt:
        """With what the server answers, and mirrors that all show the whole log."""
        given = self.answer() if answer is None else answer

        class Client(Typed):
            base_url = str(self.folder)

            def get(self, path: str, **query: Any) -> dict[str, Any]:
                return given

        shown = mirrors or {name: Mirror([cosigned(self.run.leaves, name)]) for name in self.names}
        with patch.object(cosigned_log, "find_mirrors", lambda *_: (shown, [])):
            judges = VerifierQuorum(tuple(self.names), 2)
            return save_receipt(cast(ApiClient, Client()), self.deployment, judges, (1, self.account), 0.0)


def _digest(leaf: str) -> str:
    body = json.loads(leaf)
    body.pop("kind")
    return to_hex(digest(read_envelope(Commitment, body).message, DOMAIN))


def make(folder: Path) -> Made:
    """Play one round."""
    run = KeyedRun(rounds=1)
    run.play()
    enrolled = [json.loads(leaf)["message"] for leaf in run.leaves if json.loads(leaf)["kind"] == "enrolment"]
    account = next(message["payout"] for message in enrolled if message["node"] == run.nodes[0].address)
    return Made(run, write_log(folder, run.leaves), account, deployment())


STRANGER = key("a stranger").address
