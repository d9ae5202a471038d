"""Claims through a relayer: asked for, waited for, and believed when the wallet's own chain says who was paid."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from commonweight.relayed import LOOK_SECONDS, PATIENCE_SECONDS, ClaimFailed, wait_for
from commonweight.standing.claims import ClaimState
from commonweight.standing.model import WalletModel
from commonweight.standing.owed import Claim, Owed
from contracts.amounts import amount
from contracts.errors import CommonweightError
from contracts.ids import Address, to_hex
from contracts.messages.for_contracts import ClaimTo
from contracts.messages.signatures import Domain, sign
from contracts.protocol.log_audit import PayoutKind
from contracts.wire.epochs import ManyQueuedClaims, QueuedCall, QueuedClaims
from contracts.wire.fields import Object
from contracts.wire.requests import ClaimBody, ClaimManyBody, EpochClaim, SignedClaimBody

AT_ONCE = 100
"""Epochs that one request names."""
PAID = "paid"
"""Why a server passes a line over that was claimed before."""
GOOD_FOR = 86_400
"""Seconds for which a signed claim counts."""


class NothingToClaim(CommonweightError):
    """Nothing can be claimed for the account now; the detail says why, and which command says more."""

    code = "nothing-to-claim"


@dataclass(frozen=True)
class Elsewhere:
    """Who signs, and where its tokens go instead."""

    signer: LocalAccount
    to: Address


@dataclass(frozen=True)
class Paid:
    """A line that was minted to `to` by a transaction (0x-hex hash); `by_others`: by none that was asked for here."""

    claim: Claim
    to: str
    hash: str
    by_others: bool = False

    def to_json(self, currency: str) -> Object:
        """One object of `--json`."""
        return {
            "about": "claim",
            "epoch": self.claim.epoch,
            "index": self.claim.index,
            "kind": self.claim.kind,
            "units": str(self.claim.amount),
            "currency": currency,
            "to": self.to,
            "state": str(ClaimState.CLAIMED),
            "hash": self.hash,
            "passed_over": self.by_others,
        }

    def in_words(self, currency: str) -> str:
        """One line of the output."""
        what = f"{amount(self.claim.amount, currency)} for {self.claim.kind} in epoch {self.claim.epoch}"
        said = f"{what}  to {self.to}  {self.hash}"
        return f"{said}  passed over: somebody else had it paid meanwhile" if self.by_others else said


@dataclass(frozen=True)
class ClaimReport:
    """Outbox ids of the calls that pay what was asked for, and what the server does not claim: epoch and why."""

    calls: set[str]
    refused: dict[int, str]


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


def claim_lines(
    model: WalletModel, account: Address, found: Sequence[Claim], elsewhere: Elsewhere | None
) -> list[Paid]:
    """Have these lines paid; what the chain says of each. Raises ClaimFailed, ApiProblem and ApiUnreachable."""
    asked = _plainly(model, account, found) if elsewhere is None else _signed(model, account, found, elsewhere)
    ours = {str(line.hash) for line in wait_for(model.client, asked.calls)}
    due = [claim for claim in found if claim.epoch not in asked.refused]
    paid = [_seen(model, claim, ours, account, elsewhere) for claim in due]
    if asked.refused:
        done = f"{len(paid)} of {len(found)} lines are claimed; " if paid else ""
        raise ClaimFailed(done + "; ".join(f"epoch {epoch}: {why}" for epoch, why in asked.refused.items()))
    return paid


def _plainly(model: WalletModel, account: Address, found: Sequence[Claim]) -> ClaimReport:
    """One epoch by its own route, whose refusals say most; several in one transaction."""
    epochs = list(dict.fromkeys(claim.epoch or 0 for claim in found))
    if len(epochs) == 1:
        path = f"/epochs/{epochs[0]}/claims"
        body = ClaimBody.made(account=account)
        return ClaimReport(set(model.client.send(QueuedClaims, path, body).transactions), {})
    asked = ClaimReport(set(), {})
    for start in range(0, len(epochs), AT_ONCE):
        wanted = [EpochClaim(epoch=epoch, account=account) for epoch in epochs[start : start + AT_ONCE]]
        answer = model.client.send(ManyQueuedClaims, "/claims", ClaimManyBody.made(claims=wanted))
        asked.calls.update(answer.transactions)
        refused = (one for one in answer.passed_over if one.why != PAID)
        asked.refused.update({one.epoch: f"{one.why}: {one.detail}" for one in refused})
    return asked


def _signed(model: WalletModel, account: Address, found: Sequence[Claim], elsewhere: Elsewhere) -> ClaimReport:
    domain = Domain(model.deployment.chain_id, model.deployment.distributor)
    deadline = model.now() + GOOD_FOR
    names: set[str] = set()
    for claim in found:
        kind = PayoutKind[claim.kind.upper()]
        message = ClaimTo(claim.epoch or 0, claim.index, account, kind, claim.amount, elsewhere.to, deadline)
        signature = sign(message, domain, bytes(elsewhere.signer.key))
        body = SignedClaimBody.made(
            account=account, index=claim.index, to=elsewhere.to, deadline=deadline, signature=to_hex(signature)
        )
        names.add(model.client.send(QueuedCall, f"/epochs/{claim.epoch}/signed-claims", body).transaction)
    return ClaimReport(names, {})


def _seen(model: WalletModel, claim: Claim, ours: set[str], account: Address, elsewhere: Elsewhere | None) -> Paid:
    """What the wallet's own chain has of a line, once it is as far as the server's. Raises ClaimFailed.

    Whoever was quicker without a signature paid the account itself: that is as good, unless it said where else to pay.
    """
    name = to_hex(claim.leaf)
    end = time.monotonic() + PATIENCE_SECONDS
    while not model.distributor.is_claimed(claim.epoch or 0, claim.index):
        if time.monotonic() > end:
            raise ClaimFailed(f"the server calls the mint of {name} mined, and your chain node does not have it")
        time.sleep(LOOK_SECONDS)
    paid_to, transaction = model.distributor.paid_to(claim.epoch or 0, claim.index, model.deployment.block)
    to = elsewhere.to if elsewhere else account
    if elsewhere and paid_to != to:
        raise ClaimFailed(f"line {claim.index} of epoch {claim.epoch} was paid to {paid_to}, not to {to}")
    return Paid(claim, paid_to or to, transaction, bool(transaction) and transaction not in ours)
