"""Whatever an operator shows to one verifier, it ends nothing: what its machine refuses is dropped, and it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from tests.holds import Threat, holds
from tests.verifier.mirror.shown import Endless, Showing, Waits, fork, look, reading_copy
from tests.verifier.mirror.world import LOG, OPERATOR, ORIGIN, Operator
from verifier.mirror.errors import CheckpointRefused, HeadContradicts
from verifier.mirror.exchange.planning import BUNDLES
from verifier.mirror.store.copy import LogCopy
from verifier.mirror.store.departures import Departure, EntryRefused
from verifier.mirror.store.evidence import Evidence

pytestmark = pytest.mark.unit

K_60 = b"x" * 60_000


def departures(copy: LogCopy) -> list[Departure]:
    return [found for found in copy.evidence.all() if isinstance(found, Departure)]


@holds(
    "An invalid entry that is shown to one verifier stops nobody",
    by="verifier/mirror/store/copy.py:LogCopy.advance",
    against=Threat.REWRITTEN_LOG,
)
def test_a_senseless_entry_ends_nothing(tmp_path: Path) -> None:
    """One entry behind the real log, well signed, shown once: dropped, kept as evidence, and the real log goes on."""
    copy, machine = reading_copy(tmp_path)
    real, lie = Operator().grow(300), fork(310, 5, "bad")
    look(copy, Showing(real))
    with pytest.raises(EntryRefused) as refused:
        look(copy, Showing(lie))
    assert refused.value.index == 310
    assert (copy.signed, copy.size) == (300, 310), "what the machine took is kept, and not signed"
    look(copy, Showing(real.grow(20)))
    assert (copy.signed, len(machine.taken)) == (320, 320)
    (found,) = departures(copy)
    found.check(LOG)
    assert (open_checkpoint(found.head, LOG).size, found.index) == (315, 310)
    assert found.body()["reason"] == "entry 310 is not what follows"


def test_what_was_refused_costs_nothing_when_it_comes_again(tmp_path: Path) -> None:
    copy, machine = reading_copy(tmp_path)
    lie = Showing(fork(300, 5, "bad"))
    with pytest.raises(EntryRefused):
        look(copy, lie)
    asked, machine.asked = list(lie.asked), []
    with pytest.raises(EntryRefused, match="entry 300"):
        look(copy, lie)
    assert lie.asked[len(asked) :] == ["/log/checkpoint"]
    longer = Showing(fork(300, 40, "bad"))
    with pytest.raises(EntryRefused, match="entry 300"):
        look(copy, longer)
    assert longer.bundles() == 0, "another head over the same entry is known by its tiles"
    assert machine.asked == []
    assert len(departures(copy)) == 1


def test_a_well_formed_tail_that_nobody_signed_for_is_given_up(tmp_path: Path) -> None:
    """The bad entry lies behind good ones that are no part of the real log."""
    copy, machine = reading_copy(tmp_path)
    real, lie = Operator().grow(300), fork(250, 80).grow(1, "bad")
    with pytest.raises(EntryRefused):
        look(copy, Showing(lie))
    assert (copy.signed, copy.size) == (0, 330)
    look(copy, Showing(real))
    assert copy.signed == 300
    assert machine.taken == real.entries


def test_a_stall_is_reported_while_every_source_shows_the_same(tmp_path: Path) -> None:
    copy, _ = reading_copy(tmp_path)
    look(copy, Showing(Operator().grow(10)))
    for _ in range(3):
        with pytest.raises(EntryRefused):
            look(copy, Showing(fork(10, 5, "bad")))
        assert copy.signed == 10
    copy.close()
    again, _ = reading_copy(tmp_path)
    assert len(departures(again)) == 1
    assert again.signed == 10


def test_departures_are_bounded(tmp_path: Path) -> None:
    copy, _ = reading_copy(tmp_path)
    for number in range(20):
        with pytest.raises(EntryRefused):
            look(copy, Showing(fork(10, 1, f"bad {number}")))
    found = departures(copy)
    assert len(found) == 16
    assert found[-1].head == Showing(fork(10, 1, "bad 19")).note().format()


def test_a_log_without_an_end_is_dropped_where_it_is_refused(tmp_path: Path) -> None:
    copy, machine = reading_copy(tmp_path)
    lie = Showing(Endless(Operator().grow(20).entries, b"bad" + K_60))
    for _ in range(3):
        with pytest.raises(EntryRefused):
            look(copy, lie)
    assert lie.bundles() == 1
    assert copy.size == 20
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 40 * 10**6
    look(copy, Showing(Operator().grow(30)))
    assert (copy.signed, len(machine.taken)) == (30, 30)


@holds(
    "A mirror stores nothing ahead of a machine that waits",
    by="verifier/mirror/exchange/planning.py:plan",
    against=Threat.FLOOD,
)
def test_nothing_is_kept_ahead_of_a_machine_that_waits(tmp_path: Path) -> None:
    """Entries of a block that never comes, and 60 kB each: the machine waits for its chain, and so does the copy."""
    copy, machine = reading_copy(tmp_path, waits=lambda entry: entry.startswith(b"x"))
    lie = Showing(Endless(Operator().grow(20).entries, K_60))
    for _ in range(3):
        with pytest.raises(Waits):
            look(copy, lie)
    assert lie.bundles() == 1
    assert copy.size == 256
    look(copy, Showing(Operator().grow(30)))
    assert (copy.signed, len(machine.taken)) == (30, 30), "it is no reason not to follow another head"


def test_a_head_below_an_awaited_entry_is_signed(tmp_path: Path) -> None:
    copy, _ = reading_copy(tmp_path, waits=lambda entry: entry.startswith(b"another"))
    with pytest.raises(Waits):
        look(copy, Showing(fork(300, 50)))
    assert copy.size > 300
    look(copy, Showing(Operator().grow(300)))
    assert copy.signed == 300


def test_a_head_is_signed_only_when_its_size_is_reached(tmp_path: Path) -> None:
    """Entries are applied before."""
    copy, machine = reading_copy(tmp_path)
    shown = Showing(Operator().grow((BUNDLES + 3) * 256))
    look(copy, shown)
    assert (copy.signed, copy.size) == (0, BUNDLES * 256)
    assert len(machine.taken) == copy.size
    assert shown.bundles() == BUNDLES
    look(copy, shown)
    assert copy.signed == copy.size == (BUNDLES + 3) * 256


def test_a_head_with_pages_of_extensions_is_none(tmp_path: Path) -> None:
    """Sixteen pairs of such heads would make an answer that no other mirror takes."""
    copy, _ = reading_copy(tmp_path)
    fat = sign_checkpoint(Checkpoint(ORIGIN, 1, b"\1" * 32, ("x" * 5000,)), OPERATOR)
    with pytest.raises(CheckpointRefused):
        copy.verified(fat)
    pair = Evidence(b"x" * 2**19, b"y", b"\1" * 32)
    copy.evidence.add(pair)
    assert copy.evidence.all() == ()


def test_a_fork_that_is_not_signed_here_is_left_for_the_real_log(tmp_path: Path) -> None:
    copy, _ = reading_copy(tmp_path)
    look(copy, Showing(Operator().grow(300)))
    with pytest.raises(HeadContradicts):
        look(copy, Showing(fork(250, 100)))
    assert copy.signed == 300
    (found,) = copy.evidence.all()
    found.check(LOG)
