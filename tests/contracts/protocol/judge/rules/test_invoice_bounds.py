"""More attacks on money spent on a run (ADR 61): hours before a price, and votes around the opening of a round."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.ids import RunId
from contracts.protocol.judge import chain_events
from contracts.protocol.judge.errors import NotBound
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.rules.labour import HOUR, note_opened
from contracts.protocol.judge.state import State
from tests.contracts.protocol.judge.court import RUN
from tests.contracts.protocol.judge.rented import CONFIG, RENTERS, USD, Paying, Rented

pytestmark = pytest.mark.unit


def test_work_before_the_first_price_is_on_no_invoice() -> None:
    """Nobody remembers its tokens: a bill of all hours would be for those of the last one alone, and less its pay."""
    town = Rented(config=replace(CONFIG, token_price=0))
    first = town.work()
    town.work()
    town.block(chain_events.Decided(1, "token_price", "1000000"), seconds=1)
    town.work()
    town.work()
    last = town.work()
    for start in (first, last - 1):
        with pytest.raises(NotBound, match="remembers"):
            town.hand(RENTERS[0], start, 30 * (last + 1 - start), end=last + 1)
    for node in RENTERS:
        town.hand(node, last)
    town.work()
    assert {line.credited for line in town.assessed()[0].lines} == {10 * USD}


@pytest.mark.parametrize("has_others", [False, True])
def test_an_hour_that_began_without_a_price_is_on_no_invoice(has_others: bool) -> None:
    """Another run's work of that hour may be posted and forgotten; the next hour is remembered whole."""
    town = Rented()
    state = State(Paying(), block=Block(1, 7 * HOUR, "hash"))
    if has_others:
        state.runs[RunId("other")] = replace(town.state.runs[RUN], began=1)
    note_opened(state, replace(CONFIG, token_price=0).to_json())
    assert not state.priced
    note_opened(state, CONFIG.to_json())
    assert (state.priced, state.remembered) == (True, 7 + has_others)
