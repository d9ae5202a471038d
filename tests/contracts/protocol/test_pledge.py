"""A pledge hides what it says until it is opened, and cannot be opened as anything else."""

from __future__ import annotations

import pytest

from contracts.errors import BadField
from contracts.ids import as_address
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.pledge import Pledge, draw_pledge

pytestmark = pytest.mark.unit
NODE, OTHER = as_address("0x" + "11" * 20), as_address("0x" + "22" * 20)
KEY, RUN = b"\x01" * 32, b"\x02" * 32


def test_salt_segment_and_node_each_change_the_seal() -> None:
    seals = {
        Pledge(bytes(32)).seal(NODE),
        Pledge(bytes(32)).seal(OTHER),
        Pledge(b"\x01" * 32).seal(NODE),
        Pledge(bytes(32), 0).seal(NODE),
        Pledge(bytes(32), 1).seal(NODE),
    }
    assert len(seals) == 5


@pytest.mark.parametrize("pledge", [Pledge(bytes(31)), Pledge(bytes(32), -1), Pledge(bytes(32), NO_SEGMENT + 1)])
def test_what_is_no_pledge_has_no_seal(pledge: Pledge) -> None:
    with pytest.raises(BadField):
        pledge.seal(NODE)


def test_a_pledge_repeats_and_differs_by_key_run_and_round() -> None:
    drawn = draw_pledge(KEY, RUN, 1, 10, 500_000)
    assert drawn == draw_pledge(KEY, RUN, 1, 10, 500_000)
    others = {draw_pledge(KEY, RUN, 2, 10, 0).salt, draw_pledge(RUN, RUN, 1, 10, 0).salt}
    assert len({*others, draw_pledge(KEY, KEY, 1, 10, 0).salt, drawn.salt}) == 4


def test_canaries_come_at_the_rate_and_in_every_segment() -> None:
    drawn = [draw_pledge(KEY, RUN, number, 10, 100_000) for number in range(4000)]
    canaries = [pledge.fake for pledge in drawn if pledge.canary]
    assert 320 < len(canaries) < 480  # 400 expected, 4 standard deviations of 19
    assert set(canaries) == set(range(10))
    assert not any(draw_pledge(KEY, RUN, number, 10, 0).canary for number in range(1000))
    assert all(draw_pledge(KEY, RUN, number, 10, 1_000_000).canary for number in range(1000))


@pytest.mark.parametrize("rate", [-1, 1_000_001])
def test_a_rate_beyond_the_whole_is_refused(rate: int) -> None:
    with pytest.raises(BadField):
        draw_pledge(KEY, RUN, 1, 10, rate)
