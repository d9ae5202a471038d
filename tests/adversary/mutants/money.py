"""Mutants of money spent on a run: J23.

Two of its conditions keep the same thing out, each by itself, and have none: work of an open epoch is not billed, since
its round is in no closed one, and since it is posted, open or may still be committed.
"""

from __future__ import annotations

from tests.adversary.mutants.core import Mutant


def _left_out(
    old: str, new: str, *ways: str, module: str = "invoices", breaks: tuple[str, ...] = ("I6",), seeds: int = 1
) -> Mutant:
    return Mutant("J23", module, old, new, breaks, ways, seeds)


MUTANTS: dict[str, Mutant] = {
    "an invoice needs no maintainer": _left_out(
        "    state.functions.check_quorum(run.config, others)\n", "", "rented-foreign"
    ),
    "a renter need not sign": _left_out(
        'for kind, name in (("renter", fact.renter), ("account", fact.account)):',
        'for kind, name in (("account", fact.account),):',
        "rented-foreign",
    ),
    "an account need not sign": _left_out(
        'for kind, name in (("renter", fact.renter), ("account", fact.account)):',
        'for kind, name in (("renter", fact.renter),):',
        "rented-foreign",
    ),
    "a renter vouches for itself": _left_out(
        "own = {fact.renter.lower(), fact.account.lower()}", "own = set[str]()", "rented-foreign"
    ),
    "an hour that is not over is billed": _left_out(
        "    if fact.end > now:\n", "    if False:\n", "rented-foreign", seeds=20_001
    ),
    "an hour is billed again": _left_out(
        "        _check_unused(state, name, fact)\n", "        pass\n", "rented-twice"
    ),
    "a machine is another one in other letters": _left_out(
        'return [*fact.nodes, f"{fact.provider}\\n{fact.machine}".lower()]',
        'return [*fact.nodes, f"{fact.provider}\\n{fact.machine}"]',
        "rented-twice",
    ),
    "another's work is billed": _left_out(
        "        if work.account.lower() != fact.account.lower():\n", "        if False:\n", "rented-foreign"
    ),
    "a key that did not work is billed": _left_out(
        "if not any(fact.first <= work.hour < fact.end for work in run.worked.get(node, ())):",
        "if False:",
        "rented-foreign",
        breaks=("I6", "KeyError"),
    ),
    "capital needs no weight": _left_out("if not fact.payback and not work.counts:", "if False:", "rented"),
    "others are whoever bills": _left_out("if mine.isdisjoint(_named(one))]", "if True]", "rented", "rented-dear"),
    "one other gives a price": _left_out("< LEAST_OTHERS or", "< 1 or", "rented-dear", "rented"),
    "a bill is credited above others' price": _left_out(
        "min(fact.amount, bought) - invoice.value", "fact.amount - invoice.value", "rented-dear"
    ),
    "more than the bill is credited": _left_out(
        "min(fact.amount, bought) - invoice.value", "bought - invoice.value", "rented-dear"
    ),
    "the pay of the work is not taken off": _left_out(
        "min(fact.amount, bought) - invoice.value", "min(fact.amount, bought)", "rented-dear"
    ),
    "overpaid hours are nothing to the others": _left_out("lines = _netted(run, lines)", "pass", "rented-dear"),
    "overpaid hours are forgotten": _left_out(
        "            run.overpaid[machine] = (overpaid, hour_now(state))\n", "            pass\n", "rented-dear"
    ),
    "the cap is none": _left_out(
        "    lines = _within(lines, max(0, terms.cap - run.funded), capitals)\n", "", "rented-dear"
    ),
    "the holders' budget is none": _left_out(
        "    lines = _within(lines, max(0, terms.budget - run.payable), paybacks)\n", "", "rented-dear"
    ),
    "a payback is capital, too": _left_out("if line.credited and not line.payback:", "if line.credited:", "rented"),
    "capital that was paid is paid again": _left_out(
        "        run.capital[account] -= worth_of(units.get(account.lower(), 0), price)\n",
        "        pass\n",
        "rented",
        module="funding",
    ),
    "capital has its part, however little was credited": _left_out(
        "(units := min(share, worth[account.lower()] * TOKEN // price))", "(units := share)", "rented", module="funding"
    ),
}
