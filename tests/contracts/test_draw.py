from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.draw import boundaries_to_open, chain_link, check_link, draw_segments
from contracts.errors import BadField

pytestmark = pytest.mark.unit
SECRET, BEACON, PROOF = b"\7" * 32, b"\1" * 32, b"\2" * 32


@given(st.integers(1, 60), st.integers(1, 70), st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_a_draw_is_distinct_ascending_and_repeatable(segments: int, samples: int, beacon: bytes) -> None:
    drawn = draw_segments(beacon, SECRET, PROOF, segments, samples)
    assert drawn == draw_segments(beacon, SECRET, PROOF, segments, samples)
    assert len(drawn) == min(segments, samples)
    assert list(drawn) == sorted(set(drawn))
    assert set(drawn) <= set(range(segments))


def test_every_segment_is_drawn_about_equally_often() -> None:
    counts = [0] * 10
    for i in range(2000):
        for segment in draw_segments(i.to_bytes(32), SECRET, PROOF, 10, 2):
            counts[segment] += 1
    assert min(counts) > 330  # expected 400, standard deviation 18
    assert max(counts) < 470


@pytest.mark.parametrize(
    "other", [(b"\3" * 32, SECRET, PROOF), (BEACON, b"\3" * 32, PROOF), (BEACON, SECRET, b"\3" * 32)]
)
def test_beacon_link_and_proof_each_change_the_draw(other: tuple[bytes, bytes, bytes]) -> None:
    assert draw_segments(*other, 1000, 5) != draw_segments(BEACON, SECRET, PROOF, 1000, 5)


def test_only_the_anchored_link_of_the_round_is_taken() -> None:
    anchor = chain_link(SECRET, 100, 0)
    check_link(anchor, chain_link(SECRET, 100, 3), 3)
    for link, round_number in ((chain_link(SECRET, 100, 4), 3), (chain_link(b"\10" * 32, 100, 3), 3)):
        with pytest.raises(BadField):
            check_link(anchor, link, round_number)
    with pytest.raises(BadField, match="beyond"):
        chain_link(SECRET, 100, 101)


def test_the_last_boundary_is_always_opened() -> None:
    assert boundaries_to_open((0, 3), 10) == (0, 1, 3, 4, 10)
