"""A machine is rented once: the intent is on the disk before the call, and no call whose fate is unknown is sent again.

What the account's list shows decides then: by the launch's tag, or, where the provider shows none, by what was not
there before. Such a provider is asked for one machine at a time, under a lock of this user's processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from commonweight.market.calling.guarded import Guarded
from commonweight.market.errors import MarketError, ProviderError
from commonweight.market.offers import Offer
from commonweight.market.provider import Bootstrap, Provider
from commonweight.market.renting.events import Intended, Named, Refused, Sent, ToEnd
from commonweight.market.renting.journal import Journal
from commonweight.market.renting.rental import Rental, Standing
from contracts.ids import Address

BootstrapOf = Callable[[str], Bootstrap]
"""The bootstrap of a rental, by its tag."""


class Unsettled(MarketError):
    """A launch of before whose fate is unknown: nothing more is asked of this provider until its list decides it."""

    code = "launch-unsettled"


def launch(
    journal: Journal,
    provider: Provider,
    offer: Offer,
    fleet: str,
    bootstrap_of: BootstrapOf,
    nodes: tuple[Address, ...] = (),
) -> Rental:
    """Rent the offer's machine for a fleet; returns the rental, which may still be SENT: its fate is unknown then.

    Raises Unsettled, and ProviderError where the provider refused or cannot be reached, without effect.
    """
    guarded = Guarded(provider)
    with _turn(journal.folder, guarded):
        _require_settled(journal, guarded)
        before = () if guarded.facts.tagged else tuple(machine.name for machine in guarded.machines())
        rental = journal.intend(Intended(offer, fleet, nodes, before))
        bootstrap = bootstrap_of(rental.tag)
        journal.note(rental.tag, Sent())

        def noted(name: str) -> None:
            _named(journal, rental.tag, name)

        try:
            machine = guarded.launch(offer, bootstrap, rental.tag, noted)
        except ProviderError as error:
            return _failed(journal, rental.tag, error)
        return _named(journal, rental.tag, machine)


def _named(journal: Journal, tag: str, machine: str) -> Rental:
    rental = journal.rental(tag)
    return rental if rental.machine == machine else journal.note(tag, Named(machine))


def _failed(journal: Journal, tag: str, error: ProviderError) -> Rental:
    rental = journal.rental(tag)
    if rental.machine:  # a launch of several calls broke off: what is there is ended
        return journal.note(tag, ToEnd(f"{error.code}: {error.detail}"))
    if error.sent:
        return rental
    journal.note(tag, Refused(error.code, error.detail))
    raise error


def _require_settled(journal: Journal, provider: Guarded) -> None:
    if provider.facts.tagged:
        return
    name = provider.facts.name
    open_calls = [one for one in journal.rentals() if one.provider == name and one.standing is Standing.SENT]
    if open_calls:
        raise Unsettled(f"{name}: the state of {open_calls[0].tag} is unknown; `commonweight market ps` looks for it")


@contextmanager
def _turn(folder: Path, provider: Guarded) -> Iterator[None]:
    if provider.facts.tagged:
        yield
        return
    with (folder / f"launching-{provider.facts.name}.lock").open("w") as file:
        flock(file, LOCK_EX)
        yield
