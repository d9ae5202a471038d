"""Claims through a relayer: asked for, waited for, and believed when the wallet's own chain says who was paid."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from eth_account.signers.local import LocalAccount

from commonweight.relayed import LOOK_SECONDS, PATIENCE_SECONDS, ClaimFailed, wait_for
from commonweight.standing.claims import ClaimState
from commonweight.standing.model import WalletModel
from commonweight.standing.owed import Claim, Owed
from contracts.errors import CommonweightError
from contracts.log_audit import Kind
from contracts.messages import ClaimTo
from contracts.signing import Domain, sign

GOOD_FOR = 86_400
"""Seconds for which a signed claim counts."""


class NothingToClaim(CommonweightError):
    """Nothing can be claimed for the account now; the detail says why, and which command says more."""

    code = "nothing-to-claim"


@dataclass(frozen=True)
class Elsewhere:
    """Who signs, and where its tokens go instead."""

    signer: LocalAccount
    to: str


@dataclass(frozen=True)
class Paid:
    """A line that was minted to `to` by a transaction (0x-hex hash)."""

    claim: Claim
    to: str
    hash: str

    def to_json(self, currency: str) -> dict[str, Any]:
        """One object of `--json`."""
        return {
            "about": "claim", "epoch": self.claim.epoch, "index": self.claim.index, "kind": self.claim.kind,
            "units": str(self.claim.amount), "currency": currency, "to": self.to, "state": str(ClaimState.CLAIMED),
            "hash": self.hash,
        }  # fmt: skip


def require_claimable(owed: Owed) -> list[Claim]:
    """What can be claimed. Raises NothingToClaim, unless all that there is was claimed: then nothing is due."""
    found = [claim for claim in owed.claims if claim.state is ClaimState.CLAIMABLE]
    if found:
        return found
    waiting = [claim for claim in owed.claims if claim.state is not ClaimState.CLAIMED]
    telling = [claim for claim in waiting if claim.amount] or waiting
    if len(waiting) < len(owed.claims) and not any(claim.amount for claim in waiting):
        return []
    if not telling:
        raise NothingToClaim(f"no epoch of that number is closed; see: commonweight wallet show {owed.account}")
    why = " ".join(dict.fromkeys(claim.sentence for claim in telling))
    commands = dict.fromkeys(claim.command for claim in telling)
    raise NothingToClaim(f"{why} See: {'; '.join(commands)}")


def claim_lines(model: WalletModel, account: str, found: Sequence[Claim], elsewhere: Elsewhere | None) -> list[Paid]:
    """Have these lines paid; what the chain says of each. Raises ClaimFailed, ApiProblem and ApiUnreachable."""
    ask = _plainly if elsewhere is None else _signed
    names = set(ask(model, account, found, elsewhere))
    hashes = {str(line["id"]).rpartition(":")[2]: str(line["hash"]) for line in wait_for(model.client, names)}
    return [_seen(model, claim, hashes, elsewhere.to if elsewhere else account) for claim in found]


def _plainly(model: WalletModel, account: str, found: Sequence[Claim], _: Elsewhere | None) -> list[str]:
    names: list[str] = []
    for epoch, _lines in groupby(found, key=lambda claim: claim.epoch):
        names += model.client.post(f"/epochs/{epoch}/claims", {"account": account})["transactions"]
    return names


def _signed(model: WalletModel, account: str, found: Sequence[Claim], elsewhere: Elsewhere | None) -> list[str]:
    assert elsewhere is not None, "who signs is given"
    domain = Domain(model.deployment.chain_id, model.deployment.distributor)
    deadline = model.now() + GOOD_FOR
    names: list[str] = []
    for claim in found:
        kind = Kind[claim.kind.upper()]
        message = ClaimTo(claim.epoch or 0, claim.index, account, kind, claim.amount, elsewhere.to, deadline)
        signature = sign(message, domain, bytes(elsewhere.signer.key))
        body = {"account": account, "index": claim.index, "to": elsewhere.to, "deadline": deadline}
        answer = model.client.post(
            f"/epochs/{claim.epoch}/signed-claims", {**body, "signature": "0x" + signature.hex()}
        )
        names.append(str(answer["transaction"]))
    return names


def _seen(model: WalletModel, claim: Claim, hashes: dict[str, str], to: str) -> Paid:
    """What the wallet's own chain has of a line, once it is as far as the server's. Raises ClaimFailed."""
    name, end = "0x" + claim.leaf.hex(), time.monotonic() + PATIENCE_SECONDS
    while not model.token.receipt_paid(model.deployment.distributor, claim.leaf):
        if time.monotonic() > end:
            raise ClaimFailed(f"the server calls the mint of {name} mined, and your chain node does not have it")
        time.sleep(LOOK_SECONDS)
    paid_to, transaction = model.distributor.paid_to(claim.epoch or 0, claim.index, model.deployment.block)
    if paid_to != to:
        raise ClaimFailed(f"line {claim.index} of epoch {claim.epoch} was paid to {paid_to}, not to {to}")
    return Paid(claim, paid_to, transaction or hashes.get(name, ""))
