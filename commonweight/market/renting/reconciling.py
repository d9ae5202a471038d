"""The account's list against the journal: nothing runs that nobody owns, and nothing is thought to run that is gone.

A rental is owned while its fleet is: until its end, and, where a process looks after it, while that process does. A tag
of this journal, or a machine that came between an intent and its answer, belongs to its rental. A machine that the
journal knows nothing of is left alone: it may be the user's, rented by other means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal

from commonweight.market.calling.guarded import Guarded
from commonweight.market.errors import ProviderError, RequestRefused
from commonweight.market.money import dollars
from commonweight.market.provider import Machine, MachineState, Provider
from commonweight.market.renting.events import Billed, Ended, Named, NeverSeen, Priced, Refused, Running, ToEnd
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.rental import LATE_SECONDS, Rental, Standing

ORPHAN_SECONDS = 600
"""A fleet that its process has not looked after for so long is ended."""
STUBBORN_SECONDS = 600
"""A machine that is listed for so long after its end is complained of."""
DEARER = Decimal("1.1")
"""A machine that is billed for more than so many times the agreed price is ended: the budget is no price."""
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
    asked = [(Guarded(provider), journal.clock()) for provider in providers]
    for provider, _ in asked:
        provider.ask()
    for provider, asked_at in asked:
        try:
            machines = {machine.name: machine for machine in provider.machines()}
        except ProviderError as error:
            found.unasked.append((provider.facts.name, f"{error.code}: {error.detail}"))
            _end_unlisted(journal, provider, asked_at, found)
        else:
            _follow(journal, provider, machines, asked_at, found)
    return found


def _follow(
    journal: Journal, provider: Guarded, machines: dict[str, Machine], asked_at: int, found: Reconciled
) -> None:
    here = [one for one in journal.rentals() if one.provider == provider.facts.name]
    shown = {*machines, *(machine.tag for machine in machines.values())}
    rentals = [one for one in here if _concerns(one, asked_at) or one.machine in shown or one.tag in shown]
    _name_unnamed(journal, provider, rentals, machines, found)
    bills = _Bills(journal, provider, found)
    for tag in [rental.tag for rental in rentals]:
        rental = journal.rental(tag)
        machine = machines.get(rental.machine) if rental.machine else None
        with _told(provider, rental.machine, found):
            _follow_one(journal, provider, rental, machine, asked_at, found)
        bills.note(tag, machine is not None)
    _end_strays(journal, provider, machines, found)


@contextmanager
def _told(provider: Guarded, machine: str, found: Reconciled) -> Iterator[None]:
    """One machine that cannot be ended keeps no other from its end."""
    try:
        yield
    except ProviderError as error:
        found.unasked.append((f"{provider.facts.name} {machine}", f"{error.code}: {error.detail}"))


def _end_unlisted(journal: Journal, provider: Guarded, now: int, found: Reconciled) -> None:
    """Without a list, what is over is ended all the same: its name is known, and an end may come twice."""
    for rental in journal.rentals():
        if rental.provider != provider.facts.name or rental.is_done or not rental.machine:
            continue
        if rental.standing is not Standing.ENDING:
            rental = _to_end(journal, rental, None, now, found)
        if rental.standing is Standing.ENDING and _is_drained(journal, rental, None, now):
            with _told(provider, rental.machine, found):
                provider.terminate(rental.machine)


def _concerns(rental: Rental, now: int) -> bool:
    """Whether a list that does not show it may still say something of a rental."""
    if rental.standing is Standing.INTENDED:
        return True
    is_late = rental.standing in (Standing.NEVER_SEEN, Standing.REFUSED, Standing.ENDED)
    return not is_late or now - max(rental.sent_at, rental.ended_at) <= LATE_SECONDS


def end_all(provider: Provider, names: Collection[tuple[str, str]], tags: Collection[str]) -> bool:
    """End every machine of these (provider, name) and tags, and write nothing down. Returns whether the provider may
    still have one."""
    guarded = Guarded(provider)
    own = [machine for name, machine in names if name == provider.facts.name]
    try:
        listed = [one.name for one in guarded.machines() if one.name in own or (one.tag and one.tag in tags)]
    except ProviderError:
        listed, is_known = own, False
    else:
        is_known = True
    for machine in listed:
        with suppress(ProviderError):
            guarded.terminate(machine)
    return bool(listed) or not is_known


# -- whose machines ----------------------------------------------------------------------------------------------------


def _name_unnamed(
    journal: Journal, provider: Guarded, rentals: Sequence[Rental], machines: dict[str, Machine], found: Reconciled
) -> None:
    """Give machines that no rental has to the rentals whose call may have made them."""
    named = _named_at(journal, provider)
    free = [machine for machine in machines.values() if machine.name not in named]
    for rental in rentals:
        if rental.machine or not rental.sent_at:
            continue
        fitting = [machine for machine in free if _may_be(provider, rental, machine)]
        if len(fitting) == 1 or (fitting and provider.facts.tagged):  # what else has its tag is ended below
            journal.note(rental.tag, Named(fitting[0].name))
            free.remove(fitting[0])
            if rental.standing is not Standing.SENT:
                journal.note(rental.tag, ToEnd("the machine came after its launch was given up"))
        else:
            found.unclear += [(rental.tag, machine) for machine in fitting]


def _named_at(journal: Journal, provider: Guarded) -> set[str]:
    """Machines of this provider that rentals have: another provider may give the same name."""
    return {one.machine for one in journal.rentals() if one.machine and one.provider == provider.facts.name}


def _may_be(provider: Guarded, rental: Rental, machine: Machine) -> bool:
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


def _end_strays(journal: Journal, provider: Guarded, machines: dict[str, Machine], found: Reconciled) -> None:
    """End machines under this journal's tags that no rental has: its call made two, or the journal was restored from
    an older copy."""
    named = _named_at(journal, provider)
    for machine in machines.values():
        if machine.tag and journal.is_ours(machine.tag) and machine.name not in named:
            found.unclear.append((machine.tag, machine))
            with _told(provider, machine.name, found):
                provider.terminate(machine.name)


# -- one rental --------------------------------------------------------------------------------------------------------


def _follow_one(
    journal: Journal, provider: Guarded, rental: Rental, machine: Machine | None, now: int, found: Reconciled
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
    if rental.standing is Standing.ENDED:  # the list was behind, or the provider's end did not hold
        rental = journal.note(rental.tag, ToEnd("the machine is billed though it was ended"))
    if rental.standing is not Standing.ENDING:
        rental = _to_end(journal, rental, machine, now, found)
    if rental.standing is Standing.ENDING and _is_drained(journal, rental, machine, now):
        _complain_of_life(journal, provider, rental, now, found)
        provider.terminate(rental.machine)


def _complain_of_life(journal: Journal, provider: Guarded, rental: Rental, now: int, found: Reconciled) -> None:
    """A provider that says yes to an end and goes on billing: only its own page is left."""
    minutes = (now - rental.to_end_at - journal.fleet(rental.fleet).drain_seconds) // 60
    if minutes >= STUBBORN_SECONDS // 60:
        why = f"is still billed {STUBBORN_SECONDS // 60} minutes after it was ended: end it at the provider's own page"
        found.unasked.append((f"{provider.facts.name} {rental.machine}", why))


def _gone(journal: Journal, provider: Guarded, rental: Rental, now: int, found: Reconciled) -> None:
    """A machine that the list does not have: one that was just launched may not be in it yet, and a list may be short,
    or behind. So its provider is told to end it before anybody forgets it: where that fails, the next look tells it."""
    if rental.is_done or not rental.machine:
        return
    if rental.standing is not Standing.ENDING and now - rental.sent_at <= provider.facts.lag_seconds:
        return
    with suppress(RequestRefused):  # it says that there is no such machine, and so does the list
        provider.terminate(rental.machine)
    found.ended.append(journal.note(rental.tag, Ended()))


def _seen(journal: Journal, rental: Rental, machine: Machine) -> Rental:
    is_dearer = machine.price > max(rental.price, rental.offer.price.total)
    is_news = machine.price > rental.price or (machine.reach and machine.reach != rental.reach)
    if machine.state is MachineState.RUNNING and (rental.standing is Standing.LOADING or is_news):
        return journal.note(rental.tag, Running(machine.price, machine.reach))
    return journal.note(rental.tag, Priced(machine.price)) if is_dearer else rental


@dataclass
class _Bills:
    """Bills of one provider in one look: where they cannot be had, that is said once, and holds up nothing."""

    journal: Journal
    provider: Guarded
    found: Reconciled
    failed: bool = False

    def note(self, tag: str, is_listed: bool) -> None:
        """The bill of a machine that is listed, or that was found to be gone now."""
        rental = self.journal.rental(tag)
        is_just_gone = rental.standing is Standing.ENDED and rental in self.found.ended
        if self.failed or not rental.machine or not (is_listed or is_just_gone):
            return
        try:
            amount = self.provider.spent(rental.machine)
        except ProviderError as error:
            self.failed = True
            self.found.unasked.append((f"{self.provider.facts.name}'s bills", f"{error.code}: {error.detail}"))
            return
        if amount is not None and amount != rental.billed:
            self.journal.note(tag, Billed(amount))


def _to_end(journal: Journal, rental: Rental, machine: Machine | None, now: int, found: Reconciled) -> Rental:
    """The rental, to be ended where there is a reason; `machine` as it is listed, None where there is no list."""
    reason, drains = "", False
    agreed = rental.offer.price.total
    if machine is not None and machine.state in _LOST:
        reason = f"{machine.state}: {machine.detail or 'by the provider'}"
    elif machine is not None and machine.price > agreed * DEARER:
        reason = f"its provider bills {dollars(machine.price)} an hour, and {dollars(agreed)} was agreed to"
    elif machine is not None and rental.standing is Standing.LOADING and now - rental.sent_at > LOADING_SECONDS:
        reason = f"the machine did not come up in {LOADING_SECONDS // 60} minutes"
    else:
        reason = why_over(journal, journal.fleet(rental.fleet), now)
        drains = rental.standing is Standing.RUNNING
    if not reason:
        return rental
    rental = journal.note(rental.tag, ToEnd(reason, drains))
    found.ended.append(rental)
    return rental


def _is_drained(journal: Journal, rental: Rental, machine: Machine | None, now: int) -> bool:
    """Whether its nodes had the time to answer what they owe, or have nothing to answer with. A drain that no process
    waits for is none: whoever looks now may be the last one."""
    is_up = rental.drains and (machine is None or machine.state is MachineState.RUNNING)
    if not is_up or not journal.is_attended(rental.fleet):
        return True
    return now - rental.to_end_at >= journal.fleet(rental.fleet).drain_seconds


def why_over(journal: Journal, fleet: Fleet, now: int) -> str:
    """Why nothing of a fleet is wanted any more, empty while it is."""
    if fleet.is_over:
        return "the machine was stopped"
    if now >= fleet.ends_at:
        return "the hours of the fleet are over"
    if fleet.watched and now - journal.beat_at(fleet.name) > ORPHAN_SECONDS:
        return "no process looks after the machine any more"
    return ""
