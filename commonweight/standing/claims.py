"""The states of an account's pay for an epoch, from work to tokens.

no-round ─▶ open ─▶ unsigned ─▶ in-window ─▶ claimable (or contract) ─▶ claimed
                        ▲           │  ▲
                        └─ fallen ◀─ disputed
not-paid, other-wallet, unknown, no-run: nothing for this account; foreign, hidden: server and chain do not agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from commonweight.standing.sentence import Sentence
from contracts.bindings.verifier_registry import EpochStatus


class ClaimState(StrEnum):
    """The states of a claim."""

    NO_RUN = "no-run"
    NO_ROUND = "no-round"
    OPEN = "open"
    UNSIGNED = "unsigned"
    FALLEN = "fallen"
    IN_WINDOW = "in-window"
    DISPUTED = "disputed"
    CLAIMABLE = "claimable"
    CONTRACT = "contract"
    CLAIMED = "claimed"
    NOT_PAID = "not-paid"
    OTHER_WALLET = "other-wallet"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"
    HIDDEN = "hidden"


SENTENCES: Mapping[StrEnum, Sentence] = {
    ClaimState.NO_RUN: Sentence(
        "This model has no run yet, so no epoch pays anything.", "commonweight model train --help"
    ),
    ClaimState.NO_ROUND: Sentence(
        "No round of run {run} is decided yet. The first epoch stays open until round {last} is decided.",
        "commonweight run show {run}",
    ),
    ClaimState.OPEN: Sentence(
        "The next epoch of run {run} stays open until round {last} is decided. The newest round is {round}.",
        "commonweight run show {run}",
    ),
    ClaimState.UNSIGNED: Sentence(
        "Epoch {epoch} is closed, by this server's word. {k} verifiers have to sign its root.",
        "commonweight wallet show {account}",
    ),
    ClaimState.FALLEN: Sentence(
        "The root of epoch {epoch} fell {attempt} times. Verifiers have to sign another root.",
        "commonweight wallet show {account}",
    ),
    ClaimState.IN_WINDOW: Sentence(
        "The challenge window of epoch {epoch} ends at {until}. Then anybody can make the epoch final.",
        "commonweight wallet show {account}",
    ),
    ClaimState.DISPUTED: Sentence(
        "Epoch {epoch} is disputed. The holders decide, or the dispute lapses at {until}.",
        "commonweight gov list --open",
    ),
    ClaimState.CLAIMABLE: Sentence("Epoch {epoch} is final and can be claimed.", "commonweight wallet claim {account}"),
    ClaimState.CONTRACT: Sentence(
        "Epoch {epoch} is final. The account is a contract, which has to call the distributor's claim itself, or sign "
        "ClaimTo.",
        "commonweight receipt save {account} --epoch {epoch}",
    ),
    ClaimState.CLAIMED: Sentence("Epoch {epoch} is claimed already.", "commonweight wallet balance {account}"),
    ClaimState.NOT_PAID: Sentence(
        "Epoch {epoch} pays nothing to this account.", "commonweight receipt save {account} --epoch {epoch}"
    ),
    ClaimState.OTHER_WALLET: Sentence(
        "No epoch pays this account. The pay of its node goes to another wallet, {payout}.",
        "commonweight wallet show {payout}",
    ),
    ClaimState.UNKNOWN: Sentence(
        "No epoch pays this account, and no node or contribution of a run names the account as its payee.",
        "commonweight run list",
    ),
    ClaimState.FOREIGN: Sentence(
        "This server's lines of epoch {epoch} do not lead to the root on the chain. Do not claim from this server.",
        "commonweight audit --help",
    ),
    ClaimState.HIDDEN: Sentence(
        "The chain has epoch {epoch}, but this server does not show the epoch.", "commonweight audit --help"
    ),
}


@dataclass(frozen=True)
class EpochFacts:
    """An epoch by the chain (`status`), and whether the server shows its lines, and those under the chain's root."""

    status: EpochStatus
    attempt: int
    shown: bool
    ours: bool


def state_of(epoch: EpochFacts, *, has_line: bool, paid: bool, is_contract: bool, paid_elsewhere: bool) -> ClaimState:
    """The state of one line of the account, or of none; `paid_elsewhere`: the account is a node with another wallet."""
    if not epoch.shown:
        return ClaimState.HIDDEN
    if not epoch.ours:
        return ClaimState.FOREIGN
    if not has_line:
        return ClaimState.OTHER_WALLET if paid_elsewhere else ClaimState.NOT_PAID
    if epoch.status is EpochStatus.FINAL:
        unpaid = ClaimState.CONTRACT if is_contract else ClaimState.CLAIMABLE
        return ClaimState.CLAIMED if paid else unpaid
    if epoch.status is EpochStatus.NONE:
        return ClaimState.FALLEN if epoch.attempt else ClaimState.UNSIGNED
    return ClaimState.DISPUTED if epoch.status is EpochStatus.DISPUTED else ClaimState.IN_WINDOW


def state_without_epochs(runs: int, *, is_payee: bool, merged: int) -> ClaimState:
    """The state of work in no closed epoch; `merged` is the newest decided round of a run that names the account."""
    if not runs:
        return ClaimState.NO_RUN
    if not is_payee:
        return ClaimState.UNKNOWN
    return ClaimState.OPEN if merged else ClaimState.NO_ROUND
