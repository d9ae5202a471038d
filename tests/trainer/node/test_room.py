"""A node looks at the memory of its GPUs, too, before it signs anything."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import SIZES
from trainer.model import memory
from trainer.model.memory import DoesNotFit, Way, needs
from trainer.node import answering
from trainer.node.answering import Answers

pytestmark = pytest.mark.unit
CONFIG = replace(RunConfig(**SIZES["15M"]), profile="portable", ranks=4)


def answers(ranks: int = 1, offload: bool = False) -> Answers:
    settings = SimpleNamespace(ranks=ranks, recompute=False, offload=offload)
    return Answers(cast(Any, settings), *[cast(Any, None)] * 6)


@pytest.mark.parametrize(("ranks", "offload"), [(1, False), (1, True), (4, False), (4, True)])
def test_a_node_is_refused_at_the_byte_that_its_card_lacks(
    monkeypatch: pytest.MonkeyPatch, ranks: int, offload: bool
) -> None:
    """Two cards: four processes share them by twos, and the fuller one counts."""
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    cards = min(ranks, 2)
    need = needs(CONFIG, Way(ranks, offload=offload, cards=cards)).card
    assert need is not None
    for less, fits in ((0, True), (1, False)):
        free = [need + 5, need - less][-cards:]
        monkeypatch.setattr(answering, "free_card_bytes", lambda _profile, _count, free=free: free)
        if fits:
            answers(ranks, offload)._check_room(CONFIG)
        else:
            with pytest.raises(DoesNotFit, match="GB of a GPU's memory"):
                answers(ranks, offload)._check_room(CONFIG)


def test_the_hosts_part_is_smaller_beside_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, beside = needs(CONFIG, Way()), needs(CONFIG, Way(cards=1))
    assert beside.host is not None
    assert alone.host is not None
    assert beside.host < alone.host
    assert alone.card is None
    monkeypatch.setattr(memory, "available_bytes", lambda: beside.host)
    monkeypatch.setattr(answering, "free_card_bytes", lambda *_: [10**15])
    answers()._check_room(CONFIG)
    monkeypatch.setattr(answering, "free_card_bytes", lambda *_: [])
    with pytest.raises(DoesNotFit, match="GB of memory"):
        answers()._check_room(CONFIG)
