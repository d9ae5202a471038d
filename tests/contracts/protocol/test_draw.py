from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.protocol.draw import draw_segments
from tests.holds import Threat, holds

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


@holds(
    "The draw depends on the beacon, on the secret and on the proof",
    by="contracts/protocol/draw.py:draw_segments",
    against=Threat.BAD_VERIFIER,
)
@pytest.mark.parametrize(
    "other", [(b"\3" * 32, SECRET, PROOF), (BEACON, b"\3" * 32, PROOF), (BEACON, SECRET, b"\3" * 32)]
)
def test_beacon_secret_and_proof_each_change_the_draw(other: tuple[bytes, bytes, bytes]) -> None:
    assert draw_segments(*other, 1000, 5) != draw_segments(BEACON, SECRET, PROOF, 1000, 5)
