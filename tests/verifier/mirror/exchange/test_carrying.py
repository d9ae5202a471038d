"""The log of a verifier that nobody can pull from comes to the other mirrors all the same."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from contracts.mirrors.peer import Peer
from tests.holds import Threat, holds
from tests.verifier.mirror.world import VERIFIERS, Operator, make_mirror, mirror_on, ticket
from verifier.mirror.exchange.carrying import carry
from verifier.mirror.exchange.handing_on import Answer, Look, MirrorAnswer
from verifier.mirror.http.uploads import add_checkpoint, add_entries
from verifier.mirror.store.copy import LogCopy

pytestmark = pytest.mark.integration


def fill(copy: LogCopy, operator: Operator) -> None:
    pending = copy.pending()
    add_checkpoint(copy, operator.add_checkpoint(pending.checkpoint.size if pending else 0))
    add_entries(copy, io.BytesIO(operator.upload(copy.size)).read)


def bring(log: str) -> dict[str, str]:
    """Under the ticket of another verifier."""
    return ticket(log, by=VERIFIERS[1])


def test_a_mirror_gets_what_it_lacks(tmp_path: Path) -> None:
    """From nothing, from a common beginning, and in parts where it is much."""
    own, other, operator = make_mirror(tmp_path / "own"), make_mirror(tmp_path / "other"), Operator()
    with mirror_on(other) as url:
        for count in (5, 60, 3_000):
            fill(own.copy, operator.grow(count))
            asyncio.run(carry(Peer(url, True), own.copy, other.copy.signed, bring))
            assert other.copy.signed == own.copy.signed == operator.tree.size
    assert other.copy.root(operator.tree.size) == operator.tree.root(operator.tree.size)


def test_a_mirror_with_the_head_and_without_entries_gets_them(tmp_path: Path) -> None:
    own, other, operator = make_mirror(tmp_path / "own"), make_mirror(tmp_path / "other"), Operator().grow(300)
    fill(own.copy, operator)
    add_checkpoint(other.copy, operator.add_checkpoint())
    with mirror_on(other) as url:
        asyncio.run(carry(Peer(url, True), own.copy, 0, bring))
    assert other.copy.signed == 300


def test_a_mirror_that_is_further_gets_nothing(tmp_path: Path) -> None:
    own, other, operator = make_mirror(tmp_path / "own"), make_mirror(tmp_path / "other"), Operator().grow(10)
    fill(own.copy, operator)
    fill(other.copy, operator.grow(10))
    with mirror_on(other) as url:
        asyncio.run(carry(Peer(url, True), own.copy, 20, bring))
        asyncio.run(carry(Peer(url, True), own.copy, 5, bring))
    assert other.copy.signed == 20


@holds(
    "A timeout starts only after others hold the entry that it names",
    by="verifier/mirror/exchange/handing_on.py:Look.counts",
    against=Threat.BAD_VERIFIER,
)
def test_an_absence_is_timed_only_if_others_hold_its_entry() -> None:
    """An operator goes on before one verifier alone; the others, who answer, never saw that anything is due."""
    names = ["0xA", "0xB", "0xC"]
    look = Look(
        Answer("", "", MirrorAnswer.ANSWERED),
        (Answer("0xB", "", MirrorAnswer.ANSWERED, "", 5), Answer("0xC", "", MirrorAnswer.ANSWERED, "", None)),
    )
    assert look.counts(names, 2, chain=True, holds=5)
    assert not look.counts(names, 2, chain=True, holds=6)
    assert not look.counts(names, 1, chain=True, holds=5)
