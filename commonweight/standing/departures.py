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
    """A stake cannot be paid out yet."""

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
        "The verifier has its seat, and {stake} at stake. It can resign the seat without a vote.",
        "commonweight model resign --help",
    ),
    DepartureState.WAITING: Sentence(
        "The verifier gave up its seat. {stake} are free when {epochs} more epochs that settle its verdicts are final, "
        "at the latest at {free}. Run this command again then.",
        "commonweight model resign --help",
    ),
    DepartureState.SIGNED: Sentence(
        "The verifier gave up its seat. {stake} are locked until the root of the next epoch, which the verifier "
        "signed, is final or fell. Run this command again then.",
        "commonweight model resign --help",
    ),
    DepartureState.FREE: Sentence(
        "The verifier gave up its seat, and {stake} are free. Run this command again to be paid.",
        "commonweight model resign --help",
    ),
    DepartureState.GONE: Sentence(
        "The account has neither a verifier's seat nor a stake in this model.", "commonweight model stake --help"
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
