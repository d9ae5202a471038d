"""What was spent on a run becomes capital, or is paid back, and nothing is paid twice (ADR 61)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from contracts.ids import NO_PROOF, ProofId, RunId, as_address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime, Refused
from contracts.protocol.judge.rules import invoices
from contracts.protocol.judge.rules.invoices import LARGEST_BILL, MOST_NODES
from contracts.protocol.judge.rules.labour import note_posted
from contracts.protocol.judge.snapshot import dump, restore
from contracts.protocol.judge.state import PaidWork, Phase, PostedWork, ProofState, RunState, Stage
from contracts.protocol.judge.terms import MEMORY_HOURS
from tests.contracts.protocol.judge.court import MAINTAINER, RUN, STRANGER, V0, V1
from tests.contracts.protocol.judge.rented import CONFIG, RENTERS, TOKEN, USD, Paying, Rented
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit

N0, N1, N2, N3, N4 = RENTERS


def handed(dollars: int = 30, **changes: Any) -> tuple[Rented, int]:
    """A first hour of which all five renters handed in their cost."""
    town = Rented(**changes)
    hour = town.work()
    for node in RENTERS:
        town.hand(node, hour, dollars)
    return town, hour


def test_a_cost_is_credited_less_what_its_work_was_paid() -> None:
    """A machine cost 30 dollars, as the others' did, and its node was paid 20 tokens of a dollar each."""
    town, _ = handed()
    assert town.assessed() == []
    town.work()
    (entry,) = town.assessed()
    assert {line.credited for line in entry.lines} == {10 * USD}
    assert {(line.tokens, line.earned, line.amount) for line in entry.lines} == {(64, 20 * USD, 30 * USD)}
    assert (entry.capital, entry.payable) == (50 * USD, 0)
    town.audit()


def test_capital_is_paid_by_its_weight_until_its_worth_is_paid() -> None:
    """30 of 100 tokens an epoch go to capital: 50 dollars take two epochs, and the third has none."""
    town, _ = handed()
    for _ in range(3):
        town.work()
    sums = [sum(by_account.values()) for by_account in town.paid(2)]
    assert sums == [0, 30 * TOKEN, 20 * TOKEN, 0]
    assert [sum(by_account.values()) for by_account in town.paid(0)] == [n * TOKEN for n in (100, 70, 80, 100)]
    assert town.state.runs[RUN].capital == {}
    town.audit()


def test_one_cent_is_not_paid_all_of_capitals_part() -> None:
    """A share by weight alone would give 30 tokens for it."""
    town = Rented(nodes=(*RENTERS,))
    hour = town.work()
    for node in RENTERS[1:]:
        town.hand(node, hour, payback=True)
    town.hand(N0, hour, amount=20 * USD + 10_000)
    town.work()
    assert town.paid(2)[-1] == {"wallet of n0": TOKEN // 100}


def test_a_dearer_machine_is_credited_at_the_others_median() -> None:
    """Own invoices, and those of whoever shares a name with the renter, move no price of its own."""
    town = Rented()
    hour = town.work()
    town.hand(N0, hour, 900)
    for node, dollars in ((N1, 25), (N2, 26), (N3, 27), (N4, 28)):
        town.hand(node, hour, dollars)
    town.work()
    credited = {
        str(line.account): (line.median_amount * 64 // line.median_tokens // USD, line.credited // USD)
        for line in town.assessed()[0].lines
    }
    assert credited["wallet of n0"] == (26, 6), "the lower median of the other four"
    assert credited["wallet of n4"] == (26, 6), "of 25, 26, 27 and 900"


def test_the_order_of_entry_changes_no_amount() -> None:
    results = []
    for order in list(permutations(RENTERS))[::17]:
        town = Rented(config=replace(CONFIG, capital_cap=37 * USD))
        hour = town.work()
        for node in order:
            town.hand(node, hour, 25 + RENTERS.index(node) * 3)
        town.work()
        town.work()
        results.append((sorted(town.credited().items()), town.paid(2)))
    assert all(result == results[0] for result in results)
    assert sum(amount for _, amount in results[0][0]) == 37 * USD


def test_the_cap_is_reached_and_never_passed() -> None:
    """In the middle of an invoice all that are assessed together have their part; later ones are refused."""
    town, _ = handed(config=replace(CONFIG, capital_cap=23_000_001))
    hour = town.work()
    (entry,) = town.assessed()
    assert sum(line.credited for line in entry.lines) == entry.capital == 23_000_001
    assert max(line.credited for line in entry.lines) - min(line.credited for line in entry.lines) <= 1
    with pytest.raises(OutOfTime, match="cap"):
        town.hand(N0, hour)
    town.hand(N0, hour, payback=True)
    town.audit()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_price_takes_three_others(count: int) -> None:
    """Two friends are not a market; an invoice waits until there is one."""
    town = Rented()
    hour = town.work()
    for node in RENTERS[: count + 1]:
        town.hand(node, hour)
    town.work()
    assert bool(town.assessed()) == (count >= 3)


def test_renters_with_one_signer_are_one() -> None:
    town = Rented()
    hour = town.work()
    for node in RENTERS[:4]:
        town.hand(node, hour, renter=as_address("renter of n1") if node != N0 else as_address("renter of n0"))
    town.work()
    assert town.assessed() == []


def test_who_has_most_of_the_work_waits_for_others_prices() -> None:
    """Three friends with an hour each would price ten of another's."""
    town = Rented()
    first = town.work()
    hours = [town.work() for _ in range(4)]
    for node in (N1, N2, N3):
        town.hand(node, first)
    town.hand(N0, first, 150, end=hours[-1] + 1)
    town.work()
    credited = {line.account for line in town.assessed()[0].lines}
    assert credited == {"wallet of n1", "wallet of n2", "wallet of n3"}
    assert [invoice.fact.account for invoice in town.state.runs[RUN].invoices] == ["wallet of n0"]


def test_splitting_a_bill_moves_no_median() -> None:
    """Ten dear invoices for ten hours weigh as much as one for all of them."""
    prices = []
    for split in (False, True):
        town = Rented()
        first = town.work()
        hours = [first, *(town.work() for _ in range(3))]
        for node in (N2, N3, N4):
            town.hand(node, first, 120, end=hours[-1] + 1)
        if split:
            for hour in hours:
                town.hand(N1, hour, 50)
        else:
            town.hand(N1, first, 200, end=hours[-1] + 1)
        town.hand(N0, first, 200, end=hours[-1] + 1)
        town.work()
        lines = {str(line.account): line for entry in town.assessed() for line in entry.lines}
        own = lines["wallet of n0"]
        prices.append((own.median_amount, own.median_tokens))
    assert prices[0] == prices[1] == (30 * USD // 64, 1)


@holds(
    "A machine's hour is on one invoice in a model, by node key and by the provider's name",
    by="contracts/protocol/judge/rules/invoices.py:take_invoice",
    against=Threat.WRONG_PAY,
)
@pytest.mark.parametrize(
    "again",
    [
        {},
        {"payback": True},
        {"renter": as_address("another")},
        {"machine": "another machine"},
        {"provider": "Lambda", "nodes": (N1,), "account": as_address("wallet of n1"), "machine": "MACHINE of n0"},
    ],
)
def test_an_hour_is_on_one_invoice(again: dict[str, Any]) -> None:
    town = Rented()
    first = town.work()
    second = town.work()
    town.hand(N0, first, end=second + 1)
    assert N0 not in town.state.runs[RUN].worked
    for hour in (first, second):
        with pytest.raises(AlreadySaid, match="is on another invoice"):
            town.hand(N0, hour, **again)
    third = town.work()
    with pytest.raises(AlreadySaid):
        town.hand(N0, second, end=third + 1, **again)


def test_an_hour_is_on_one_invoice_in_all_runs() -> None:
    """One key in two runs: what it did in the other hours of the bill is the other run's."""
    town = Rented()
    hour = town.work()
    created = next(entry for entry in town.log if isinstance(entry, facts.RunCreated))
    town.enter(replace(created, run=RunId("other"), nonce=2))
    other = town.state.runs[RunId("other")]
    other.began = 1
    town.hand(N0, hour)
    with pytest.raises(AlreadySaid):
        town.hand(N0, hour, run=RunId("other"))


def beside(town: Rented) -> RunState:
    """A second run of the model, which no invoice is for."""
    created = next(entry for entry in town.log if isinstance(entry, facts.RunCreated))
    town.enter(replace(created, run=RunId("other"), nonce=2))
    return town.state.runs[RunId("other")]


def test_all_of_a_machines_work_is_of_one_run() -> None:
    """Half of its tokens in another run would be pay that nothing takes off."""
    town = Rented()
    hour = town.work()
    beside(town).worked = {N0: list(town.state.runs[RUN].worked[N0])}
    with pytest.raises(NotBound, match="run other"):
        town.hand(N0, hour)


def test_another_runs_work_to_come_holds_the_hour() -> None:
    """Posted after the invoice it would be pay beside it: a node waits until its other run's round is decided."""
    town = Rented()
    mine = deepcopy(town.round)
    hour = town.work()
    other = beside(town)
    other.round = 1
    other.rounds[1] = replace(mine, run=RunId("other"))
    with pytest.raises(OutOfTime, match="run other opened"):
        town.hand(N0, hour)
    pending = ProofState(commitment=replace(town.commitment(N0), run=RunId("other"), proof=ProofId("p"), round=1))
    town.state.proofs[ProofId("p")] = pending
    other.rounds[1] = replace(other.rounds[1], phase=Phase.CLOSED)
    with pytest.raises(OutOfTime, match="proof p"):
        town.hand(N0, hour)
    pending.stage = Stage.POSTED
    note_posted(town.state, other, pending, as_address("wallet of n0"), 64)
    with pytest.raises(OutOfTime, match="posted in run other"):
        town.hand(N0, hour)


def test_a_run_without_a_price_pays_a_machine_too() -> None:
    """Its hours are remembered where another run has a price, and no invoice may be for them."""
    town = Rented(config=replace(CONFIG, token_price=0))
    beside(town).config = CONFIG.to_json()
    town.state.priced = True
    hour = town.work()
    assert [work.priced for work in town.state.runs[RUN].worked[N0]] == [False]
    town.state.runs[RunId("other")].began = 1
    town.state.runs[RunId("other")].worked = {N0: [PaidWork(hour, as_address("wallet of n0"), 64, 0, True, True)]}
    with pytest.raises(NotBound, match="run r, too"):
        town.hand(N0, hour, run=RunId("other"))


def test_work_without_a_price_is_on_no_invoice() -> None:
    """Its pay has no value: named, it would be taken off as nothing; left out, the bill would be for it as well."""
    town = Rented()
    first = town.work()
    town.block(chain_events.Decided(1, "token_price", "0"), seconds=1)
    town.work()
    town.work()
    town.block(chain_events.Decided(2, "token_price", "1000000"), seconds=1)
    town.work()
    last = town.work()
    for start, end in ((first, last + 1), (first + 2, first + 3), (first + 1, first + 3)):
        with pytest.raises(NotBound, match="had no price"):
            town.hand(N0, start, end=end)
    town.hand(N0, first, end=first + 2)


RENTER, WALLET = as_address("renter of n0"), as_address("wallet of n0")
REFUSED: dict[str, tuple[dict[str, Any], type[Refused]]] = {
    "no-maintainer": ({"signers": (WALLET, RENTER)}, NotBound),
    "no-renter": ({"signers": (MAINTAINER, WALLET)}, NotSeated),
    "no-account": ({"signers": (MAINTAINER, RENTER)}, NotSeated),
    "renter-vouches": ({"renter": MAINTAINER, "signers": (MAINTAINER, WALLET)}, NotBound),
    "nobodys-node": ({"nodes": (as_address("n9"),)}, NotBound),
    "a-node-that-rested": ({"nodes": (N0, as_address("n9"))}, NotBound),
    "no-node": ({"nodes": ()}, NotBound),
    "a-node-twice": ({"nodes": (N0, N0)}, NotBound),
    "too-many-nodes": ({"nodes": tuple(sorted(as_address(f"n{i}") for i in range(MOST_NODES + 1)))}, NotBound),
    "anothers-machine": ({"nodes": (N1,)}, NotBound),
    "anothers-account": ({"account": STRANGER}, NotBound),
    "nothing": ({"amount": 0}, NotBound),
    "absurd": ({"amount": LARGEST_BILL + 1}, NotBound),
    "no-hour": ({"end": 0}, NotBound),
    "an-hour-without-work": ({"first": 1, "end": 2}, OutOfTime),
    "too-long": ({"end": MEMORY_HOURS + 1}, NotBound),
    "unknown-run": ({"run": RunId("none")}, Refused),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_invoice_that_does_not_fit_changes_nothing(name: str) -> None:
    changes, error = REFUSED[name]
    town = Rented()
    town.work()
    before = dump(town.state)
    with pytest.raises(error):
        town.hand(N0, 0, **changes)
    assert dump(town.state) == before


def test_a_run_without_a_price_takes_no_invoice() -> None:
    town = Rented(config=replace(CONFIG, token_price=0))
    hour = town.work()
    with pytest.raises(NotBound, match="token_price"):
        town.hand(N0, hour)
    assert town.state.runs[RUN].worked == {}, "and remembers no hours"


def test_an_hour_that_is_not_over_is_refused() -> None:
    """The last round has merged; its hour goes on."""
    town = Rented()
    hour = town.work()
    with pytest.raises(OutOfTime, match="is not over"):
        town.hand(N0, hour, end=town.now + 1)


def test_hours_before_the_run_are_refused() -> None:
    """The first round opens in hour 0; a later run names an earlier hour."""
    town = Rented()
    town.state.runs[RUN].began = 3 * 3600
    hour = town.work()
    with pytest.raises(NotBound, match="had not opened"):
        town.hand(N0, hour)


def test_a_bill_is_too_old_after_its_days() -> None:
    town = Rented()
    hour = town.work()
    town.block(seconds=(MEMORY_HOURS + 1) * 3600)
    with pytest.raises(OutOfTime, match="is taken until"):
        town.hand(N0, hour)


def test_work_is_forgotten_after_its_days() -> None:
    """So the state stays as small as the hours that one may still name."""
    town, _ = handed()
    town.block(seconds=(MEMORY_HOURS + 2) * 3600)
    town.work()
    hour = town.work()
    run = town.state.runs[RUN]
    assert (run.invoices, run.prices, town.state.hired) == ([], [], {})
    assert {work.hour for paid in run.worked.values() for work in paid} == {hour}


def test_an_invoice_that_nobody_prices_ends_as_nothing() -> None:
    town = Rented()
    hour = town.work()
    town.hand(N0, hour)
    town.work()
    assert town.assessed() == []
    town.block(seconds=(MEMORY_HOURS + 1) * 3600)
    town.work()
    assert [(line.credited, line.median_tokens) for line in town.assessed()[0].lines] == [(0, 0)]
    town.work()
    assert len(town.assessed()) == 1


def test_work_that_is_not_paid_yet_is_not_named() -> None:
    """Who claims before all of an hour is paid leaves out what is taken off. The next epoch ends with it."""
    town = Rented(rounds_per_epoch=2)
    hour = town.work()
    with pytest.raises(OutOfTime, match="in no closed epoch"):
        town.hand(N0, hour)
    town.work()
    town.hand(N0, hour)


def test_work_that_is_not_decided_holds_its_hour() -> None:
    """A proof that waits for the full bench: its round merged, its epoch closed, and its tokens may still come."""
    town = Rented()
    town.work()
    town.work()
    run = town.state.runs[RUN]
    hour = town.hour
    town.work(post=False)
    proof = town.state.proofs[town.round.proofs[N0]]
    run.paid = proof.commitment.round
    town.block(seconds=3600)
    with pytest.raises(OutOfTime, match="is not decided"):
        town.hand(N0, hour)


def test_work_that_is_posted_late_is_waited_for() -> None:
    """Posted after its epoch had closed: the next epoch pays it, and only then is all of the hour's pay known."""
    town = Rented()
    hour = town.work()
    late = PostedWork(N0, as_address("wallet of n0"), hour, 64, USD, True)
    town.state.runs[RUN].posted.append(late)
    with pytest.raises(OutOfTime, match="since its last epoch closed"):
        town.hand(N0, hour)
    town.hand(N1, hour)


def test_a_node_that_is_paid_elsewhere_is_not_all_there() -> None:
    """Half of an hour's work paid at a second wallet would halve what is taken off, and not the bill."""
    town = Rented()
    first = town.work()
    town.enrol(N0, "another wallet", number=3, sequence=2)
    town.work()
    last = town.work()
    with pytest.raises(NotBound, match="was paid at another wallet"):
        town.hand(N0, first, end=last + 1)
    town.hand(N0, first)


def test_a_weight_that_is_voted_up_later_counts_for_later_work() -> None:
    """Nobody makes capital of money that was spent while the holders gave it no part."""
    town = Rented(config=replace(CONFIG, capital_weight=0))
    first = town.work()
    town.block(chain_events.Decided(1, "capital_weight", "30"), seconds=1)
    town.work()
    second = town.work()
    for last in (first, second):
        with pytest.raises(NotBound, match="no weight"):
            town.hand(N0, first, end=last + 1)
    town.hand(N0, first, payback=True)
    town.hand(N0, second)


def test_a_price_that_is_voted_down_gives_no_work_away() -> None:
    """Work is valued by the price that its round opened with."""
    town = Rented()
    hour = town.hour
    town.block(chain_events.Decided(1, "token_price", "1"), seconds=1)
    town.work()
    assert [work.value for work in town.state.runs[RUN].worked[N0]] == [20 * USD]
    town.hand(N0, hour)


def test_an_epoch_without_work_pays_no_capital() -> None:
    """Maintainers alone cannot draw on the emission; what is not paid waits."""
    town, _ = handed()
    town.work()
    waiting = dict(town.state.runs[RUN].capital)
    for node in RENTERS:
        town.lapse(facts.What.COMMITMENT, NO_PROOF, node, by=(V0, V1))
    assert town.paid(2)[-1] == {}
    assert town.state.runs[RUN].capital == waiting


def test_a_payback_is_assessed_and_never_capital() -> None:
    """It uses up its hours, gives others a price, and neither the cap nor an epoch knows it."""
    town = Rented(config=replace(CONFIG, capital_cap=1))
    hour = town.work()
    for node in RENTERS:
        town.hand(node, hour, payback=True)
    town.work()
    (entry,) = town.assessed()
    assert {(line.payback, line.credited) for line in entry.lines} == {(True, 10 * USD)}
    assert (entry.capital, entry.payable) == (0, 50 * USD)
    assert town.paid(2) == [{}, {}]
    with pytest.raises(AlreadySaid):
        town.hand(N0, hour)


def test_the_last_epochs_work_can_be_paid_back_and_not_credited() -> None:
    """No later epoch has an emission; what the holders pay back has none."""
    town = Rented(config=replace(CONFIG, rounds=2))
    town.work()
    hour = town.work()
    with pytest.raises(Refused, match="last epoch"):
        town.hand(N0, hour)
    for node in RENTERS[1:]:
        town.hand(node, hour, payback=True)
    assert [line.credited for entry in town.assessed() for line in entry.lines] == [10 * USD] * 4


def test_one_renter_cannot_take_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoices, "MOST_OF_ONE", 3)
    town = Rented()
    hours = [town.work() for _ in range(4)]
    for hour in hours[:3]:
        town.hand(N0, hour)
    with pytest.raises(OutOfTime, match="may wait"):
        town.hand(N0, hours[-1])
    town.hand(N1, hours[-1])


def test_a_machine_of_several_nodes_has_one_invoice() -> None:
    """Eight GPUs, eight keys, one bill: all that they earned is taken off."""
    town = Rented()
    town.enrol(N1, "wallet of n0", number=2, sequence=2)
    town.work()
    hour = town.work()
    town.hand(N0, hour, 60, nodes=(N0, N1))
    for node in (N2, N3, N4):
        town.hand(node, hour)
    town.work()
    lines = {str(line.account): line for line in town.assessed()[0].lines}
    assert (lines["wallet of n0"].tokens, lines["wallet of n0"].credited) == (128, 20 * USD)


def test_what_was_not_paid_as_compute_is_taken_off_rounded_up() -> None:
    """A third of a unit is a unit: no unit is capital and compute."""
    town = Rented(emission=7, config=replace(CONFIG, token_price=10**12))
    town.work()
    assert {work.value for paid in town.state.runs[RUN].worked.values() for work in paid} == {1}


def test_largest_numbers_stay_whole() -> None:
    town = Rented(emission=2**128 - 1, config=replace(CONFIG, token_price=10**12, capital_cap=2**53 - 1))
    hour = town.work()
    for node in RENTERS:
        town.hand(node, hour, amount=LARGEST_BILL)
    town.work()
    town.work()
    assert sum(town.credited().values()) == 0, "compute alone was worth more"
    town.audit()


def test_a_state_with_invoices_is_kept_in_a_snapshot() -> None:
    town, _ = handed()
    again = restore(dump(town.state), Paying())
    assert dump(again) == dump(town.state)
    town.work()
    assert town.assessed()


@holds(
    "No more is paid back than the holders' budget, and nothing that is capital",
    by="contracts/protocol/judge/rules/invoices.py:due_assessment",
    against=Threat.WRONG_PAY,
)
def test_paybacks_stay_within_the_holders_budget() -> None:
    """Those that are assessed together share it; later ones wait for another vote."""
    town = Rented(config=replace(CONFIG, payback_budget=0))
    hour = town.work()
    with pytest.raises(OutOfTime, match="payback_budget of 0"):
        town.hand(N0, hour, payback=True)
    town.block(chain_events.Decided(1, "payback_budget", "23000000"), seconds=1)
    for node in RENTERS:
        town.hand(node, hour, payback=node != N4)
    second = town.work()
    (entry,) = town.assessed()
    assert sorted(line.credited for line in entry.lines) == [5_750_000] * 4 + [10 * USD]
    assert (entry.capital, entry.payable) == (10 * USD, 23 * USD)
    with pytest.raises(OutOfTime, match="is used up"):
        town.hand(N0, second, payback=True)
    town.block(chain_events.Decided(2, "payback_budget", "1000000"), seconds=1)
    town.hand(N0, second)
    town.audit()
