"""`commonweight market ps`, `stop`, `cost`, `logs`, `ssh`: machines that are rented, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commonweight.commands.market.shared import MarketFolder, market_folder, open_journal, open_providers
from commonweight.terminal.console import complain_of_weather, mention, tell

if TYPE_CHECKING:
    from commonweight.market.renting.journal import Journal
    from commonweight.market.renting.rental import Rental

Name = Annotated[str, typer.Argument(metavar="RENTAL", help="A rental, as `market ps` names it.")]


def ps(
    every: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False,
    folder: MarketFolder = None,
) -> None:
    """Ask the providers what they bill, end what nobody owns, and show every machine."""
    journal = _looked(folder)
    now = journal.clock()
    rentals = [rental for rental in journal.rentals() if every or not rental.is_done]
    tell([_document(rental, now) for rental in rentals], [_line(rental, now) for rental in rentals] or ["no machine"])


def stop(
    fleet: Annotated[str, typer.Argument(metavar="FLEET", help="A fleet, as `market ps` names it; or `all`.")] = "",
    machine: Annotated[
        str, typer.Option("--machine", metavar="PROVIDER/NAME", help="End one machine, whoever rented it.")
    ] = "",
    folder: MarketFolder = None,
) -> None:
    """End machines: those of a fleet, of all fleets, or one by its provider's name; `market ps` sees their ends."""
    home = market_folder(folder)
    if machine:
        name, _, own = machine.partition("/")
        open_providers(home, [name]).providers[name].terminate(own)
        tell({"ended": machine}, [f"{name} was told to end {own}"])
        return
    journal = open_journal(home)
    names = [one.name for one in journal.fleets() if not one.is_over] if fleet == "all" else [fleet]
    if not fleet:
        raise typer.BadParameter("name a fleet, `all`, or --machine", param_hint="FLEET")
    for name in names:
        journal.fleet_ends(name)
    _look(journal, home)
    left = [one for one in journal.rentals() if one.fleet in names and not one.is_done]
    tell([_document(one, journal.clock()) for one in left], [f"{len(left)} machines are ending", *map(_ending, left)])


def cost(
    every: Annotated[bool, typer.Option("--all", help="Also of fleets that are over.")] = False,
    folder: MarketFolder = None,
) -> None:
    """Show what each fleet has cost by now, at most, of its budget, and what the providers have billed."""
    from commonweight.market.money import dollars
    from commonweight.market.renting import budget

    journal = _looked(folder)
    now = journal.clock()
    for fleet in journal.fleets():
        rentals = journal.rentals(fleet.name)
        if fleet.is_over and not every and all(rental.is_done for rental in rentals):
            continue
        spent, billed = budget.cost(rentals, now), sum(rental.billed for rental in rentals)
        fields = {"fleet": fleet.name, "spent": spent, "billed": billed, "budget": fleet.budget, "run": fleet.run}
        line = f"{fleet.name}: at most {dollars(spent)} of {dollars(fleet.budget)}, {dollars(billed)} billed so far"
        tell(fields, [line])


def logs(rental: Name, folder: MarketFolder = None) -> None:
    """Show the last lines of a machine's output, as its provider has them."""
    home = market_folder(folder)
    found = open_journal(home).rental(rental)
    text = open_providers(home, [found.provider]).providers[found.provider].logs(found.machine)
    tell({"rental": rental, "text": text}, text.splitlines())


def ssh(rental: Name, folder: MarketFolder = None) -> None:
    """Print how to log in to a machine: `$(commonweight market ssh RENTAL)` does it."""
    from commonweight.market.errors import UnknownRental

    found = open_journal(market_folder(folder)).rental(rental)
    if not found.reach:
        raise UnknownRental(f"{rental} is {found.standing}, and its provider has not said how to reach it")
    tell({"rental": rental, "reach": found.reach}, [found.reach])


def _looked(folder: Any) -> Journal:
    home = market_folder(folder)
    journal = open_journal(home)
    if any(not rental.is_done for rental in journal.rentals()):
        _look(journal, home)
    return journal


def _look(journal: Journal, home: Any) -> None:
    """Reconcile with every provider of which there is a rental that is not over."""
    from commonweight.market.renting.reconciling import reconcile

    names = sorted({rental.provider for rental in journal.rentals() if not rental.is_done})
    if not names:
        return
    found = reconcile(journal, list(open_providers(home, names).providers.values()))
    for provider, why in found.unasked:
        complain_of_weather(f"{provider} cannot be asked: {why}")
    for tag, machine in found.unclear:
        mention("unclear", {"rental": tag, "machine": machine.name}, f"{machine.name} may be the machine of {tag}")


def _document(rental: Rental, now: int) -> dict[str, Any]:
    return {
        "rental": rental.tag,
        "fleet": rental.fleet,
        "standing": str(rental.standing),
        "provider": rental.provider,
        "machine": rental.machine,
        "gpu": rental.offer.gpu,
        "gpus": rental.offer.gpus,
        "place": rental.offer.place,
        "nodes": list(rental.nodes),
        "cost": int(rental.cost(now)),
        "billed": int(rental.billed),
        "proof": rental.proof,
        "reach": rental.reach,
        "reason": rental.reason,
    }


def _line(rental: Rental, now: int) -> str:
    from commonweight.market.money import dollars

    what = f"{rental.offer.gpus} x {rental.offer.gpu} of {rental.provider} ({rental.machine or 'no name yet'})"
    proof = ", works" if rental.proof else ""
    why = f": {rental.reason}" if rental.reason else ""
    return f"{rental.tag}  {rental.fleet}  {rental.standing}{proof}  {what}  {dollars(rental.cost(now))}{why}"


def _ending(rental: Rental) -> str:
    return f"{rental.tag}  {rental.standing}  {rental.reason}"
