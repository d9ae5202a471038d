"""A look at the log has an end, whatever is shown: in entries, bytes and time. The next one asks somebody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.tlog.cosignature import cosign
from contracts.tlog.tile_tree import Read
from contracts.tlog.tiles import WIDTH, Tile
from tests.holds import Threat, holds
from tests.trainer.log_view.test_covered import Desk
from tests.trainer.world import ORIGIN, Village, log_key, write_text
from tests.verifier.mirror.shown import Endless
from trainer.log_view import bounds
from trainer.log_view.admitted import Admitted

pytestmark = pytest.mark.unit

Tiles = Callable[[Tile], bytes]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    village = Village(write_text(tmp_path))
    village.block()
    return Desk(tmp_path / "log", village)


def endless(desk: Desk, junk: bytes = b"junk") -> Endless:
    return Endless([leaf.encode() for leaf in desk.village.leaves], junk, ORIGIN)


def signed(desk: Desk, log: Endless, number: int) -> bytes:
    note, name = log.head(), desk.names[number]
    return note.adding(cosign(note.text, name, log_key(name), 7)).format()


@holds(
    "Of a log without an end a node reads only what k verifiers show",
    by="trainer/log_view/covered.py:CoveredLog.look",
    against=Threat.FLOOD,
)
def test_an_endless_log_is_read_only_as_k_verifiers_show_it(desk: Desk) -> None:
    size, lie = desk.village.tree.size, endless(desk)
    for _ in range(2):
        assert desk.look(size, size, notes={"": lie.head().format()}, of={"": lie}) == size  # type: ignore[dict-item]
        assert desk.log.view.size == size
    desk.village.block()
    more = desk.village.tree.size
    assert desk.look(more, more, notes={"": lie.head().format()}, of={"": lie}) == more  # type: ignore[dict-item]


def test_fewer_than_k_verifiers_lengthen_it_by_nothing(desk: Desk) -> None:
    """Before their keys are known, and after: one says that the log has no end."""
    size, lie = desk.village.tree.size, endless(desk)
    notes = {desk.names[0]: signed(desk, lie, 0), "": lie.head().format()}
    for _ in range(2):
        shown = notes | {desk.names[1]: desk.village.cosigned(1, size)}
        assert desk.look(notes=shown, of={desk.names[0]: lie, "": lie}) == size  # type: ignore[dict-item]
        assert desk.log.view.size == size


def test_a_head_that_its_verifier_did_not_sign_adds_nothing(desk: Desk) -> None:
    size, lie = desk.village.tree.size, endless(desk)
    desk.look(size, size)
    unsigned = dict.fromkeys(desk.names, lie.head().format())
    assert desk.look(notes=unsigned, of=dict.fromkeys(desk.names, lie)) == size  # type: ignore[arg-type]
    assert desk.log.view.size == size


@pytest.mark.parametrize(("bundles", "size"), [(2, 2**30), (2**30, 3 * WIDTH * 60_000 - 1)], ids=["bundles", "bytes"])
def test_a_node_without_k_takes_a_share_of_each_source(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, bundles: int, size: int
) -> None:
    """Before it knows how many verifiers are needed."""
    monkeypatch.setattr(bounds, "BUNDLES", bundles)
    monkeypatch.setattr(bounds, "BYTES", size)
    desk.village.leaves.clear()
    lie = endless(desk, b"x" * 60_000)
    for looks in (1, 2):
        desk.log.look({"": lie.head().format()}, lambda _: lie.tile, desk.by_log)
        assert desk.log.view.size == looks * min(bundles, 3) * WIDTH


class Slow:
    """Sources of a log; some take all the time that there is for every tile."""

    def __init__(self, desk: Desk, *slow: str) -> None:
        self.desk, self.slow = desk, set(slow)
        self.now, self.asked = 0.0, list[str]()
        desk.log._clock = lambda: self.now

    def look(self, size: int) -> list[str]:
        """The sources in the order in which they were asked."""
        names, self.asked = self.desk.names, []
        shown = {name: self.desk.village.cosigned(number, size) for number, name in enumerate(names)}
        self.desk.log.look(shown, self._read, lambda: Admitted(frozenset(names), 2))
        return list(dict.fromkeys(self.asked))

    def _read(self, name: str) -> Read:
        def tile(tile: Tile) -> bytes:
            self.asked.append(name)
            self.now += bounds.SOURCE_SECONDS if name in self.slow else 0
            return self.desk.village.tile(tile)

        return tile


def test_a_source_that_trickles_is_left_and_asked_last(desk: Desk) -> None:
    size, first = desk.village.tree.size, desk.names[0]
    town = Slow(desk, first)
    assert town.look(size)[:2] == desk.names[:2]
    assert desk.log.size == size
    desk.village.block()
    assert town.look(desk.village.tree.size)[0] != first


def test_a_look_ends_though_all_sources_trickle(desk: Desk) -> None:
    size = desk.village.tree.size
    town = Slow(desk, *desk.names)
    orders = [town.look(size) for _ in range(3)]
    assert town.now <= 3 * (bounds.LOOK_SECONDS + bounds.SOURCE_SECONDS)
    assert desk.log.view.size == 0
    assert all(orders)


def test_a_restart_fetches_again_only_entries_short_of_a_head(desk: Desk) -> None:
    size = desk.village.tree.size
    desk.look(size, size - 2)
    again = desk.again()
    assert again.look(size, size - 2) == size - 2
    assert again.log.current
