"""A fleet under one process: machines are rented, watched until their first accepted proof, replaced, and ended.

A look is: follow the providers' lists, see which nodes have a proof, end what is over, and rent what is missing. Every
look begins from the journal, so that a process that was killed goes on where it stood.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from commonweight.market.errors import BudgetSpent, MarketError, NoOfferFits, ProviderError
from commonweight.market.offers import NETWORK, Offer
from commonweight.market.provider import Bootstrap, Provider
from commonweight.market.renting import budget
from commonweight.market.renting.bootstrap import NodeKey
from commonweight.market.renting.choosing import Spread, choose
from commonweight.market.renting.events import Proved, ToEnd
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import launch
from commonweight.market.renting.reconciling import Reconciled, end_all, reconcile, why_over
from commonweight.market.renting.rental import Rental, Standing
from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull
from contracts.ids import Address
from verifier.mirror.errors import StoreUnusable

logger = logging.getLogger(__name__)
T = TypeVar("T")
PROOF_SECONDS = 3600
"""A machine that is up, and of whose nodes no proof is accepted in this time, is replaced."""
MOST_FAILURES = 3
"""A provider whose launches failed so often in a fleet is asked for nothing more in it."""
QUIET_LOOKS = 2
"""So many looks in a row find nothing of a fleet before it is over."""
DIVERTED = "its nodes were enrolled for the pay of"
LIVE = frozenset({Standing.INTENDED, Standing.SENT, Standing.LOADING, Standing.RUNNING})

Say = Callable[[str, str, str], None]
"""Takes an event, the rental's tag (or a provider's name), and a sentence."""


@dataclass(frozen=True)
class Wanted:
    """What the fleet is to be: so many GPUs, of offers in this order, spread so. `proof_seconds` as PROOF_SECONDS."""

    gpus: int
    offers: Callable[[], Sequence[Offer]]
    bootstrap: Callable[[str, Sequence[NodeKey]], Bootstrap]
    new_key: Callable[[], NodeKey] | None = None
    spread: Spread = Spread.NONE
    linked: bool = False
    look_seconds: int = 20
    proof_seconds: int = PROOF_SECONDS


@dataclass
class FleetKeeper:
    """Keeps one fleet. `proofs` gives for these nodes the first posted proof of each that has one; `is_over` whether
    the run wants no more work, `is_stopped` whether this process was told to end; `diverted` gives the nodes whose pay
    goes to another than the renter, with that address."""

    journal: Journal
    providers: Mapping[str, Provider]
    name: str
    wanted: Wanted
    say: Say
    proofs: Callable[[Sequence[Address]], Mapping[Address, str]] = lambda nodes: {}  # noqa: ARG005
    is_over: Callable[[], bool] = lambda: False
    is_stopped: Callable[[], bool] = lambda: False
    diverted: Callable[[Sequence[Address]], Mapping[Address, Address]] = lambda nodes: {}  # noqa: ARG005
    _told: set[tuple[str, str]] = field(default_factory=set)
    _longest: int = 0
    _quiet: int = 0
    _ends: bool = False

    def look(self) -> bool:
        """One look; returns whether the fleet is over, and nothing of it is left: a second look must find that too,
        since a list may be short for once. Raises DiskFull and StoreUnusable."""
        began = self.journal.clock()
        self.journal.attend(self.name)
        self.journal.beat(self.name)
        fleet = self._fleet()
        self._tell(reconcile(self.journal, list(self.providers.values())))
        self._tell_of_running()
        self._watch_proofs()
        self._watch_pay()
        if not self._is_wanted():
            return self._is_quiet()
        self._fill(fleet)
        self._longest = max(self._longest, self.journal.clock() - began)
        return False

    def end(self) -> None:
        """Nothing of it is wanted any more, whether or not that can be written down."""
        self._ends = True
        with suppress(DiskFull, StoreUnusable):
            self.journal.fleet_ends(self.name)

    def end_unwritten(self) -> bool:
        """What a look does for money where the journal takes no writes: what is over is ended at the providers.
        Returns whether none of it is left there."""
        fleet, rentals, now = self.journal.fleet(self.name), self._rentals(), self.journal.clock()
        self._ends |= bool(why_over(self.journal, fleet, now))
        if not self._ends and not budget.is_spent(fleet, rentals, now, self._look_seconds()):
            return False
        names = {(one.provider, one.machine) for one in rentals if one.machine}
        left = [end_all(provider, names, {one.tag for one in rentals}) for provider in self.providers.values()]
        return self._ends and not any(left)

    def _is_wanted(self) -> bool:
        fleet = self.journal.fleet(self.name)
        return not (self._ends or fleet.is_over or self.journal.clock() >= fleet.ends_at)

    def _is_quiet(self) -> bool:
        rentals = self._rentals()
        self._quiet = self._quiet + 1 if all(rental.is_done for rental in rentals) else 0
        if self._quiet < QUIET_LOOKS and any(rental.machine for rental in rentals):
            return False
        for rental in rentals:
            if rental.standing is Standing.NEVER_SEEN:
                self._once(
                    "unclear", rental.tag, "its launch had no answer: `market ps` looks for the machine for an hour"
                )
        return self._quiet > 0

    def _fleet(self) -> Fleet:
        """The fleet's terms: over where the run or the budget is."""
        fleet = self.journal.fleet(self.name)
        why = ""
        if not fleet.is_over and budget.is_spent(fleet, self._rentals(), self.journal.clock(), self._look_seconds()):
            why = "the budget is spent"
        elif not fleet.is_over and self._asked("the run", self.is_over, False):
            why = "the run is over"
        if not why:
            return fleet
        self._once("over", self.name, why)
        self.journal.fleet_ends(self.name)
        return self.journal.fleet(self.name)

    def _asked(self, whom: str, ask: Callable[[], T], otherwise: T) -> T:
        """An answer that machines must not wait for: whatever goes wrong, they are looked after."""
        try:
            return ask()
        except CommonweightError as error:
            self._once("away", whom, f"{error.code}: {error.detail}")
        except Exception as error:
            logger.exception("asking %s broke", whom)
            self._once("away", whom, type(error).__name__)
        return otherwise

    def _rentals(self) -> list[Rental]:
        return self.journal.rentals(self.name)

    def _look_seconds(self) -> int:
        """Until the next look is done: the calls of this one take their time, too, as they did before."""
        return max(self.wanted.look_seconds * 3, self.wanted.look_seconds + 2 * self._longest)

    def _tell(self, found: Reconciled) -> None:
        for rental in found.ended:
            self.say("ended" if rental.is_done else "ending", rental.tag, rental.reason or "it is gone")
        for provider, why in found.unasked:
            self._once("away", provider, why)
        for tag, machine in found.unclear:
            self._once(
                "unclear", tag, f"{machine.name} may be this rental's: `commonweight market stop --machine` ends it"
            )

    def _tell_of_running(self) -> None:
        """How to reach each machine that is up, once its provider says so."""
        for rental in self._rentals():
            if rental.standing is Standing.RUNNING:
                how = rental.reach or "its provider has not said how to reach it"
                self._once("up", rental.tag, f"{rental.machine} of {rental.provider}: {how}")

    def _once(self, event: str, about: str, sentence: str) -> None:
        if (about, sentence) not in self._told:
            self._told.add((about, sentence))
            self.say(event, about, sentence)

    # -- proofs --------------------------------------------------------------------------------------------------------

    def _watch_proofs(self) -> None:
        """Note first proofs; machines that bring none in time are to be ended, and are replaced then."""
        waiting = [rental for rental in self._rentals() if rental.standing is Standing.RUNNING and not rental.proof]
        waiting = [rental for rental in waiting if rental.nodes]
        if not waiting:
            return
        nodes = [node for rental in waiting for node in rental.nodes]
        unknown: Mapping[Address, str] | None = None
        found = self._asked("the run's proofs", lambda: self.proofs(nodes), unknown)
        if found is None:  # nobody is blamed for a server that is away
            return
        now = self.journal.clock()
        for rental in waiting:
            proof = next((found[node] for node in rental.nodes if node in found), "")
            if proof:
                self.journal.note(rental.tag, Proved(proof))
                self.say("proved", rental.tag, f"{rental.provider}'s {rental.offer.gpu} works: {proof} is posted")
            elif now - rental.running_at > self.wanted.proof_seconds:
                self.journal.note(rental.tag, ToEnd("no proof of it was accepted in time"))
                self.say("ending", rental.tag, "no proof of it was accepted in time")

    def _watch_pay(self) -> None:
        """A machine whose host has enrolled its nodes for its own pay is ended: it would earn twice."""
        running = [rental for rental in self._rentals() if rental.standing is Standing.RUNNING and rental.nodes]
        if not running:
            return
        none: Mapping[Address, Address] = {}
        nodes = [node for rental in running for node in rental.nodes]
        found = self._asked("the run's nodes", lambda: self.diverted(nodes), none)
        for rental in running:
            other = next((found[node] for node in rental.nodes if node in found), None)
            if other is not None:
                self.journal.note(rental.tag, ToEnd(f"{DIVERTED} {other}"))
                self.say("ending", rental.tag, f"{DIVERTED} {other}")

    # -- renting -------------------------------------------------------------------------------------------------------

    def _fill(self, fleet: Fleet) -> None:
        """Rent what is missing, on the terms as they are now."""
        rentals = self._rentals()
        held = [rental.offer for rental in rentals if rental.standing in LIVE]
        missing = self.wanted.gpus - sum(offer.gpus for offer in held)
        if missing <= 0:
            return
        none: Sequence[Offer] = ()
        shown = self._asked("the providers' offers", self.wanted.offers, none)
        offers = [offer for offer in shown if offer.provider in self.providers and self._is_trusted(offer)]
        try:
            chosen = choose(_fresh(offers, rentals), missing, self.wanted.spread, self.wanted.linked, held)
        except NoOfferFits as error:
            self._once("waits", self.name, error.detail)
            return
        for offer in chosen:
            self.journal.beat(self.name)  # a hundred launches take longer than others take it for looked after
            if self.is_stopped() or not self._is_wanted():
                return
            if self._is_trusted(offer) and not self._rent(fleet, offer):
                return

    def _is_trusted(self, offer: Offer) -> bool:
        """Whether its provider has not failed too often; within one look, too: each launch may take minutes."""
        failed = [rental.offer for rental in self._rentals() if _has_failed(rental)]
        return Counter(map(_blamed, failed))[_blamed(offer)] < MOST_FAILURES

    def _rent(self, fleet: Fleet, offer: Offer) -> bool:
        """One machine more; returns whether there may be another one in this look."""
        try:
            budget.require_room(fleet, self._rentals(), offer, self.journal.clock(), self._look_seconds())
        except BudgetSpent as error:
            self._once("waits", self.name, error.detail)
            return False
        keys = [self.wanted.new_key() for _ in range(offer.gpus)] if self.wanted.new_key is not None else []
        nodes = tuple(key.address for key in keys)
        provider = self.providers[offer.provider]
        try:
            rental = launch(
                self.journal, provider, offer, fleet.name, lambda tag: self.wanted.bootstrap(tag, keys), nodes
            )
        except ProviderError as error:
            self.say("refused", offer.provider, f"{error.code}: {error.detail}")
            return True
        except MarketError as error:
            self._once("waits", offer.provider, error.detail)
            return True
        self.say("rented", rental.tag, f"{offer.gpus} x {offer.gpu} of {offer.provider}, {offer.place or 'somewhere'}")
        return True


def _blamed(offer: Offer) -> tuple[str, str]:
    """Whose failures count together: a provider's, and of many suppliers' hosts each one's."""
    return offer.provider, offer.name if offer.provider == NETWORK else ""


def _has_failed(rental: Rental) -> bool:
    is_useless = rental.reason.startswith(DIVERTED) or (rental.is_done and not rental.proof)
    return is_useless or rental.standing in (Standing.REFUSED, Standing.NEVER_SEEN)


def _fresh(offers: Iterable[Offer], rentals: Sequence[Rental]) -> list[Offer]:
    """Offers of one machine each that this fleet has not tried yet. Kinds of which there are several may come again,
    and kinds of which nobody says how many there are until one was refused."""
    tried = {(rental.provider, rental.offer.name) for rental in rentals}
    refused = {
        (one.provider, one.offer.name) for one in rentals if one.standing in (Standing.REFUSED, Standing.NEVER_SEEN)
    }
    spent = {0: refused, 1: tried}
    return [offer for offer in offers if (offer.provider, offer.name) not in spent.get(offer.available, set())]
