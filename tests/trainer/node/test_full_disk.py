"""A node whose own disk is full: it says so, waits, and is paid for the round once there is room."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.small_disk import fill, on_small_disk
from tests.trainer.node.test_node import Place
from trainer.log_view.leaves import LeafFile

pytestmark = pytest.mark.integration


def is_told(place: Place, own: Path) -> bool:
    """Whether the node says that its disk is full. Files that it drops meanwhile would give it room for a while."""
    return any(f"the disk of {own}" in told.detail for told in place.events("weather"))


@pytest.mark.parametrize("since", ["enrolled", "training", "in the log"])
@on_small_disk(2**26)
def test_a_full_disk_is_told_and_waited_for(since: str, disk: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        place, own = Place(tmp_path, stack), disk / "node"
        with place.node(folder=own):
            place.until(lambda: place.proof if since == "in the log" else place.events(since))
            filler = fill(disk, left=0)
            place.until(lambda: fill(disk, left=0) and is_told(place, own))
            filler.unlink()
            place.until(place.posted)


@on_small_disk(2**20)
def test_entries_that_found_no_room_come_again(disk: Path) -> None:
    leaves = LeafFile(disk / "leaves")
    leaves.append([b"one"])
    filler = fill(disk, left=0)
    with pytest.raises(Exception, match="no room is left"):
        leaves.append([b"two" * 20_000])
    assert (len(leaves), leaves.entries(0, 1)) == (1, [b"one"])
    filler.unlink()
    leaves.append([b"two"])
    leaves.close()
    assert LeafFile(disk / "leaves").entries(0, 2) == [b"one", b"two"]
