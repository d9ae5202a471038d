"""Claims through a relayer: sent, waited for, and checked by the payee that the wallet's own chain names."""

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
"""A server's reason to pass over a line that was claimed before."""
GOOD_FOR = 86_400
"""Seconds for which a signed claim counts."""


class NothingToClaim(CommonweightError):
    """Nothing can be claimed for the account now; the detail says why, and which command says more."""

    code = "nothing-to-claim"


@dataclass(frozen=True)
class Elsewhere:
    """The account that signs, and the address that gets its tokens instead."""

    signer: LocalAccount
    to: Address


@dataclass(frozen=True)
class Paid:
    """A line that was minted to `to` by a transaction (0x-hex hash); `by_others`: by a transaction of others."""

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
        pay = f"{amount(self.claim.amount, currency)} for {self.claim.kind} in epoch {self.claim.epoch}"
        line = f"{pay}  to {self.to}  {self.hash}"
        return f"{line}  skipped: somebody else claimed it meanwhile" if self.by_others else line


@dataclass(frozen=True)
class ClaimReport:
    """Outbox ids of the calls that pay the claims, and the epochs that the server refused, each with the reason."""

    calls: set[str]
    refused: dict[int, str]


def require_claimable(owed: Owed) -> list[Claim]:
    """The claims that can be made. Raises NothingToClaim, unless all lines were claimed: then none is due."""
    claims = [claim for claim in owed.claims if claim.state is ClaimState.CLAIMABLE]
    if claims:
        return claims
    waiting = [claim for claim in owed.claims if claim.state is not ClaimState.CLAIMED]
    telling = [claim for claim in waiting if claim.amount] or waiting
    if len(waiting) < len(owed.claims) and not any(claim.amount for claim in waiting):
        return []
    if not telling:
        raise NothingToClaim(f"no closed epoch has that number; see: commonweight wallet show {owed.account}")
    why = " ".join(dict.fromkeys(claim.sentence for claim in telling))
    commands = dict.fromkeys(claim.command for claim in telling)
    raise NothingToClaim(f"{why} See: {'; '.join(commands)}")


def claim_lines(
    model: WalletModel, account: Address, claims: Sequence[Claim], elsewhere: Elsewhere | None
) -> list[Paid]:
    """Have these lines paid; returns each as the chain has it. Raises ClaimFailed, ApiProblem and ApiUnreachable."""
    report = _plainly(model, account, claims) if elsewhere is None else _signed(model, account, claims, elsewhere)
    ours = {str(line.hash) for line in wait_for(model.client, report.calls)}
    accepted = [claim for claim in claims if claim.epoch not in report.refused]
    paid = [_seen(model, claim, ours, account, elsewhere) for claim in accepted]
    if report.refused:
        done = f"{len(paid)} of {len(claims)} lines are claimed; " if paid else ""
        raise ClaimFailed(done + "; ".join(f"epoch {epoch}: {why}" for epoch, why in report.refused.items()))
    return paid


def _plainly(model: WalletModel, account: Address, claims: Sequence[Claim]) -> ClaimReport:
    """Claim one epoch by its own route, whose refusals say most; several epochs in one transaction."""
    epochs = list(dict.fromkeys(claim.epoch or 0 for claim in claims))
    if len(epochs) == 1:
        path = f"/epochs/{epochs[0]}/claims"
        body = ClaimBody.made(account=account)
        return ClaimReport(set(model.client.send(QueuedClaims, path, body).transactions), {})
    report = ClaimReport(set(), {})
    for start in range(0, len(epochs), AT_ONCE):
        batch = [EpochClaim(epoch=epoch, account=account) for epoch in epochs[start : start + AT_ONCE]]
        answer = model.client.send(ManyQueuedClaims, "/claims", ClaimManyBody.made(claims=batch))
        report.calls.update(answer.transactions)
        refused = (line for line in answer.passed_over if line.why != PAID)
        report.refused.update({line.epoch: f"{line.why}: {line.detail}" for line in refused})
    return report


def _signed(model: WalletModel, account: Address, claims: Sequence[Claim], elsewhere: Elsewhere) -> ClaimReport:
    domain = Domain(model.deployment.chain_id, model.deployment.distributor)
    deadline = model.now() + GOOD_FOR
    names: set[str] = set()
    for claim in claims:
        kind = PayoutKind[claim.kind.upper()]
        message = ClaimTo(claim.epoch or 0, claim.index, account, kind, claim.amount, elsewhere.to, deadline)
        signature = sign(message, domain, bytes(elsewhere.signer.key))
        body = SignedClaimBody.made(
            account=account, index=claim.index, to=elsewhere.to, deadline=deadline, signature=to_hex(signature)
        )
        names.add(model.client.send(QueuedCall, f"/epochs/{claim.epoch}/signed-claims", body).transaction)
    return ClaimReport(names, {})


def _seen(model: WalletModel, claim: Claim, ours: set[str], account: Address, elsewhere: Elsewhere | None) -> Paid:
    """A line's payment by the wallet's own chain, once it is as far as the server's. Raises ClaimFailed.

    A quicker claim by others without a signature paid the account itself: that is as good, unless the account signed
    another payee.
    """
    name = to_hex(claim.leaf)
    end = time.monotonic() + PATIENCE_SECONDS
    while not model.distributor.is_claimed(claim.epoch or 0, claim.index):
        if time.monotonic() > end:
            raise ClaimFailed(f"the server says that the mint of {name} is mined, but your chain node does not have it")
        time.sleep(LOOK_SECONDS)
    paid_to, transaction = model.distributor.paid_to(claim.epoch or 0, claim.index, model.deployment.block)
    payee = elsewhere.to if elsewhere else account
    if elsewhere and paid_to != payee:
        raise ClaimFailed(f"line {claim.index} of epoch {claim.epoch} was paid to {paid_to}, not to {payee}")
    return Paid(claim, paid_to or payee, transaction, bool(transaction) and transaction not in ours)
