"""Verified work by node and hour, with what it was paid, for invoices to name (ADR 61).

posted ── the epoch closes, its pay is valued ──▶ worked ── an invoice names the hour, or it is too old ──▶ forgotten

The hour is that of the round's opening, in chain time. A model in which no run had a price of tokens remembers none of
it.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.ids import Address
from contracts.protocol.judge.facts import Invoiced
from contracts.protocol.judge.rules.entitlements import COMPUTE, Units
from contracts.protocol.judge.state import PaidWork, PostedWork, ProofState, RunState, State
from contracts.protocol.judge.terms import MEMORY_HOURS

HOUR = 3600
"""Seconds."""
TOKEN = 10**18
"""Units of a whole token."""


def hour_now(state: State) -> int:
    """The hour of the last entered block."""
    return state.block.time // HOUR if state.block is not None else 0


def note_opened(state: State, config: str) -> None:
    """Work is remembered from the first round with a price on, and may be on an invoice if no round before that one was
    in its hour. Called before the run of the round has begun."""
    if not state.priced and state.functions.capital(config).price:
        state.priced = True
        has_rounds = any(run.began for run in state.runs.values())
        state.remembered = hour_now(state) + has_rounds


def note_posted(state: State, run: RunState, proof: ProofState, account: Address, tokens: int) -> None:
    """Work that the next epoch pays, by what its round opened with. Also work without a price, once a round of the
    model had one: no invoice may be for its hour."""
    current = state.round_of(proof)
    terms = state.functions.capital(current.config)
    if state.priced:
        node = proof.commitment.node
        hour = current.opened_at // HOUR
        run.posted.append(PostedWork(node, account, hour, tokens, terms.price, terms.weight > 0))


def value_posted(run: RunState, entitled: Units) -> None:
    """Value the work that an epoch pays, before its earnings are reset. Each account's pay is spread over its tokens,
    and rounded up, so that no unit is paid both as compute and as capital. What the limit cuts is owed, and counts."""
    for work in run.posted:
        units = _of(entitled, work.account)
        tokens = sum(n for name, n in run.earned[COMPUTE].items() if name.lower() == work.account.lower())
        value = -(-units * work.tokens * work.price // (tokens * TOKEN))
        worth = PaidWork(work.hour, work.account, work.tokens, value, work.counts, work.price > 0)
        _add(run.worked.setdefault(work.node, []), worth)
    run.posted = []


def _of(entitled: Units, account: Address) -> int:
    return sum(n for (kind, name), n in entitled.items() if kind == COMPUTE and name.lower() == account.lower())


def _add(paid: list[PaidWork], work: PaidWork) -> None:
    for known in paid:
        if _terms(known) == _terms(work):
            known.tokens += work.tokens
            known.value += work.value
            return
    paid.append(work)


def _terms(work: PaidWork) -> tuple[int, Address, bool, bool]:
    return work.hour, work.account, work.counts, work.priced


def claimed(worked: Mapping[Address, list[PaidWork]], fact: Invoiced) -> list[PaidWork]:
    """The work of an invoice's nodes in its hours, whoever was paid."""
    return [work for node in fact.nodes for work in worked.get(node, ()) if fact.first <= work.hour < fact.end]


def forget_claimed(run: RunState, fact: Invoiced) -> None:
    """An hour's work is named by one invoice."""
    for node in fact.nodes:
        run.worked[node] = [work for work in run.worked[node] if not fact.first <= work.hour < fact.end]
        if not run.worked[node]:
            del run.worked[node]


def _forget_work(run: RunState, oldest: int) -> None:
    for node in list(run.worked):
        run.worked[node] = [work for work in run.worked[node] if work.hour >= oldest]
        if not run.worked[node]:
            del run.worked[node]


def forget_old(state: State, run: RunState) -> None:
    """No invoice may name these hours any more, and prices of these invoices are too old to count."""
    oldest = hour_now(state) - MEMORY_HOURS
    for each in (run, *(other for other in state.runs.values() if other.over)):
        _forget_work(each, oldest)
    run.overpaid = {name: owed for name, owed in run.overpaid.items() if owed[1] >= oldest}
    run.prices = [price for price in run.prices if price.hour >= oldest]
    for name in list(state.hired):
        state.hired[name] = [(first, end) for first, end in state.hired[name] if end > oldest]
        if not state.hired[name]:
            del state.hired[name]
