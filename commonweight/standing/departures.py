"""The states of a verifier's stake, from its seat to its own pocket.

seated ── resign ──▶ waiting ─▶ free ── resign again ──▶ gone          waiting ◀─▶ signed: a root of its is open
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from commonweight.standing.sentence import Sentence, helper, told, until
from contracts.amounts import COINS, amount
from contracts.bindings.verifier_registry import Leaving, VerifierRegistry
from contracts.errors import CommonweightError
from contracts.ids import Address


class StakeLocked(CommonweightError):
    """A stake cannot be paid yet."""

    code = "stake-locked"


class DepartureState(StrEnum):
    """The states of a verifier's stake."""

    SEATED = "seated"
    WAITING = "waiting"
    SIGNED = "signed"
    FREE = "free"
    GONE = "gone"


DEPARTURES: Mapping[StrEnum, Sentence] = {
    DepartureState.SEATED: Sentence(
        "The verifier has its seat, and {stake} at stake: resigning gives the seat up, and needs no vote.",
        "commonweight model resign --help",
    ),
    DepartureState.WAITING: Sentence(
        "The seat is given up; {stake} are free when {epochs} more epochs are final that settle all it said, and no "
        "later than {free}: then run this again.",
        "commonweight model resign --help",
    ),
    DepartureState.SIGNED: Sentence(
        "The seat is given up; {stake} answer for the root of the next epoch, which it signed, until that is final or "
        "fell: then run this again.",
        "commonweight model resign --help",
    ),
    DepartureState.FREE: Sentence(
        "The seat is given up, and {stake} are free: run this again to be paid.", "commonweight model resign --help"
    ),
    DepartureState.GONE: Sentence(
        "The account has neither a seat nor a stake here.", "commonweight model stake --help"
    ),
}


def departure_state(*, seated: bool, stake: int, leaving: Leaving, now: int) -> DepartureState:
    """The state for a verifier with `stake` wei at the second `now` of the chain."""
    if seated:
        return DepartureState.SEATED
    if not stake:
        return DepartureState.GONE
    if leaving.signed_open_root:
        return DepartureState.SIGNED
    waits = leaving.epochs > 0 and now < leaving.free_at
    return DepartureState.WAITING if waits else DepartureState.FREE


@dataclass(frozen=True)
class StakeDeparture:
    """A verifier's stake in wei, and its state; times in Unix seconds."""

    account: Address
    state: DepartureState
    stake: int
    leaving: Leaving
    now: int

    @classmethod
    def read(cls, registry: VerifierRegistry, account: Address) -> StakeDeparture:
        """The stake by the chain."""
        now = int(registry.w3.eth.get_block("latest")["timestamp"])
        leaving = registry.leaving(account)
        stake = registry.stake_of(account)
        seated = account in registry.verifiers()
        state = departure_state(seated=seated, stake=stake, leaving=leaving, now=now)
        return cls(account, state, stake, leaving, now)

    @property
    def sentence(self) -> str:
        """The sentence of its state."""
        free = until(self.leaving.free_at, self.now)
        values = {"stake": amount(self.stake, COINS), "epochs": self.leaving.epochs, "free": free}
        return told(DEPARTURES, self.state, values)

    def to_json(self) -> dict[str, object]:
        """One object of `--json`."""
        return {
            "about": "departure",
            "account": self.account,
            "state": str(self.state),
            "stake": str(self.stake),
            "epochs_to_wait": self.leaving.epochs,
            "free_at": self.leaving.free_at,
            "sentence": self.sentence,
            "command": helper(DEPARTURES, self.state, {}),
        }
