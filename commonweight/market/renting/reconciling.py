"""The account's list against the journal: nothing runs that nobody owns, and nothing is thought to run that is gone.

A rental is owned while its fleet is: until its end, and, where a process looks after it, while that process does. A tag
of this journal, or a machine that came between an intent and its answer, belongs to its rental. A machine that the
journal knows nothing of is left alone: it may be the user's, rented by other means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from commonweight.market.errors import ProviderError
from commonweight.market.provider import Machine, MachineState, Provider
from commonweight.market.renting.events import Billed, Ended, Named, NeverSeen, Refused, Running, ToEnd
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.rental import LATE_SECONDS, Rental, Standing

ORPHAN_SECONDS = 600
"""A fleet that its process has not looked after for so long is ended."""
LOADING_SECONDS = 1200
"""A machine that does not come up in this time is ended."""
_LOST = frozenset({MachineState.PREEMPTED, MachineState.FAILED})


@dataclass
class Reconciled:
    """What a look found: rentals that were ended or are to be, providers that could not be asked (name, why), and
    machines that may belong to one of several rentals or to nobody here."""

    ended: list[Rental] = field(default_factory=list)
    unasked: list[tuple[str, str]] = field(default_factory=list)
    unclear: list[tuple[str, Machine]] = field(default_factory=list)


def reconcile(journal: Journal, providers: Sequence[Provider]) -> Reconciled:
    """Ask each provider for its list, follow it, and end what nobody owns. Raises nothing of a provider's."""
    found = Reconciled()
    for provider in providers:
        try:
            _follow(journal, provider, found)
        except ProviderError as error:
            found.unasked.append((provider.facts.name, f"{error.code}: {error.detail}"))
    return found


def _follow(journal: Journal, provider: Provider, found: Reconciled) -> None:
    asked_at = journal.clock()
    machines = {machine.name: machine for machine in provider.machines()}
    rentals = [one for one in journal.rentals() if one.provider == provider.facts.name and _concerns(one, asked_at)]
    _name_unnamed(journal, provider, rentals, machines, found)
    for tag in [rental.tag for rental in rentals]:
        rental = journal.rental(tag)
        machine = machines.get(rental.machine) if rental.machine else None
        try:
            _follow_one(journal, provider, rental, machine, asked_at, found)
        except ProviderError as error:  # one machine that cannot be ended keeps no other from its end
            found.unasked.append((f"{provider.facts.name} {rental.machine}", f"{error.code}: {error.detail}"))
    _end_strays(journal, provider, machines, found)


def _concerns(rental: Rental, now: int) -> bool:
    """Whether the list may still say something of a rental."""
    if rental.standing is Standing.INTENDED:
        return True
    is_late = rental.standing in (Standing.NEVER_SEEN, Standing.REFUSED, Standing.ENDED)
    return not is_late or now - max(rental.sent_at, rental.ended_at) <= LATE_SECONDS


# -- whose machines ----------------------------------------------------------------------------------------------------


def _name_unnamed(
    journal: Journal, provider: Provider, rentals: Sequence[Rental], machines: dict[str, Machine], found: Reconciled
) -> None:
    """Give machines that no rental has to the rentals whose call may have made them."""
    named = {one.machine for one in journal.rentals() if one.machine}
    free = [machine for machine in machines.values() if machine.name not in named]
    for rental in rentals:
        if rental.machine or not rental.sent_at:
            continue
        fitting = [machine for machine in free if _may_be(provider, rental, machine)]
        if len(fitting) == 1:
            journal.note(rental.tag, Named(fitting[0].name))
            free.remove(fitting[0])
            if rental.standing is not Standing.SENT:
                journal.note(rental.tag, ToEnd("it came after its launch was given up"))
        else:
            found.unclear += [(rental.tag, machine) for machine in fitting]


def _may_be(provider: Provider, rental: Rental, machine: Machine) -> bool:
    if provider.facts.tagged:
        return machine.tag == rental.tag
    offer = rental.offer
    return (
        rental.standing in (Standing.SENT, Standing.NEVER_SEEN)
        and machine.name not in rental.before
        and (not machine.started_at or machine.started_at >= rental.sent_at - provider.facts.lag_seconds)
        and (not machine.gpu or machine.gpu == offer.gpu)
        and (not machine.gpus or machine.gpus == offer.gpus)
    )


def _end_strays(journal: Journal, provider: Provider, machines: dict[str, Machine], found: Reconciled) -> None:
    """End machines under this journal's tags that it does not know: it was restored from an older copy."""
    tags = {rental.tag for rental in journal.rentals()}
    for machine in machines.values():
        if machine.tag and journal.is_ours(machine.tag) and machine.tag not in tags:
            found.unclear.append((machine.tag, machine))
            provider.terminate(machine.name)


# -- one rental --------------------------------------------------------------------------------------------------------


def _follow_one(
    journal: Journal, provider: Provider, rental: Rental, machine: Machine | None, now: int, found: Reconciled
) -> None:
    if rental.standing is Standing.INTENDED:
        if now - rental.made_at > provider.facts.lag_seconds:
            journal.note(rental.tag, Refused("never-sent", "the process ended before the call"))
        return
    if rental.standing is Standing.SENT:
        if now - rental.sent_at > provider.facts.lag_seconds:
            found.ended.append(journal.note(rental.tag, NeverSeen()))
        return
    if machine is None:
        _gone(journal, provider, rental, now, found)
        return
    rental = _seen(journal, rental, machine)
    _bill(journal, provider, rental)
    if rental.standing is Standing.ENDED:  # the list was behind, or the provider's end did not hold
        rental = journal.note(rental.tag, ToEnd("it is billed though it was ended"))
    if rental.standing is not Standing.ENDING:
        rental = _to_end(journal, rental, machine, now, found)
    if rental.standing is Standing.ENDING and _is_drained(journal, rental, machine, now):
        provider.terminate(rental.machine)


def _gone(journal: Journal, provider: Provider, rental: Rental, now: int, found: Reconciled) -> None:
    """A machine that the list does not have: one that was just launched may not be in it yet."""
    if rental.is_done or not rental.machine:
        return
    is_new = rental.standing is Standing.LOADING and now - rental.sent_at <= provider.facts.lag_seconds
    if is_new:
        return
    _bill(journal, provider, rental)
    found.ended.append(journal.note(rental.tag, Ended()))


def _seen(journal: Journal, rental: Rental, machine: Machine) -> Rental:
    is_news = machine.price > rental.price or (machine.reach and machine.reach != rental.reach)
    if machine.state is MachineState.RUNNING and (rental.standing is Standing.LOADING or is_news):
        return journal.note(rental.tag, Running(machine.price, machine.reach))
    return rental


def _bill(journal: Journal, provider: Provider, rental: Rental) -> None:
    amount = provider.spent(rental.machine)
    if amount is not None and amount != rental.billed:
        journal.note(rental.tag, Billed(amount))


def _to_end(journal: Journal, rental: Rental, machine: Machine, now: int, found: Reconciled) -> Rental:
    """The rental, to be ended where there is a reason."""
    reason, drains = "", False
    if machine.state in _LOST:
        reason = f"{machine.state}: {machine.detail or 'by the provider'}"
    elif rental.standing is Standing.LOADING and now - rental.sent_at > LOADING_SECONDS:
        reason = f"it did not come up in {LOADING_SECONDS // 60} minutes"
    else:
        reason = why_over(journal, journal.fleet(rental.fleet), now)
        drains = rental.standing is Standing.RUNNING
    if not reason:
        return rental
    rental = journal.note(rental.tag, ToEnd(reason, drains))
    found.ended.append(rental)
    return rental


def _is_drained(journal: Journal, rental: Rental, machine: Machine, now: int) -> bool:
    """Whether its nodes had the time to answer what they owe, or have nothing to answer with."""
    is_up = rental.drains and machine.state is MachineState.RUNNING
    return not is_up or now - rental.to_end_at >= journal.fleet(rental.fleet).drain_seconds


def why_over(journal: Journal, fleet: Fleet, now: int) -> str:
    """Why nothing of a fleet is wanted any more, empty while it is."""
    if fleet.is_over:
        return "it was stopped"
    if now >= fleet.ends_at:
        return "its hours are over"
    if fleet.watched and now - journal.beat_at(fleet.name) > ORPHAN_SECONDS:
        return "no process looks after it any more"
    return ""
