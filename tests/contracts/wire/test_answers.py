"""What is an answer, and how long something is said to be away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from contracts.process.outage import EVERY_SECONDS, GRACE_SECONDS, Outage, duration
from contracts.recursion import bound_recursion
from contracts.wire.answers import CODES, PROBLEM_TYPE, is_done, refusal_in, retry_after

pytestmark = pytest.mark.unit
OURS = b'{"code": "vote-closed", "detail": "it ended"}'


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_of_ours_is_an_answer(code: str) -> None:
    found = refusal_in(409, f"{PROBLEM_TYPE}; charset=utf-8", b'{"code": "%s"}' % code.encode())
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    ("status", "media_type", "body"),
    [
        (502, PROBLEM_TYPE, OURS),
        (408, PROBLEM_TYPE, OURS),
        (200, PROBLEM_TYPE, OURS),
        (302, PROBLEM_TYPE, OURS),
        (409, "application/json", OURS),
        (409, PROBLEM_TYPE, OURS[:-1]),
        (409, PROBLEM_TYPE, b"[]"),
        (409, PROBLEM_TYPE, b"[" * 200_000),
        (409, PROBLEM_TYPE, b'{"code": 5}'),
        (409, PROBLEM_TYPE, b'{"code": "vote-closed", "detail": 5}'),
        (409, PROBLEM_TYPE, b'{"code": "somebody-elses"}'),
        (409, PROBLEM_TYPE, b"\xff"),
    ],
    ids=str,
)
def test_everything_else_is_weather(status: int, media_type: str, body: bytes) -> None:
    assert refusal_in(status, media_type, body) is None


@pytest.mark.parametrize(
    ("status", "body", "done"),
    [
        (200, b"{}", True),
        (200, b"<html>", False),
        (204, b"", False),
        (200, b"[]", False),
        (302, b"{}", False),
        (409, b"{}", False),
    ],
)
def test_done_is_a_json_object_of_a_good_status(status: int, body: bytes, done: bool) -> None:
    assert is_done(status, body) is done


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("7") == 7.0
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(hours=1)))
    assert later is not None
    assert 3_000 < later <= 3_600
    assert retry_after(format_datetime(datetime.now(UTC) - timedelta(hours=1))) == 0.0
    assert [retry_after(text) for text in (None, "", "soon", "-5", "1.5", "٣")] == [None] * 6


@pytest.mark.parametrize(
    "date",
    [
        f"Mon, 01 Jan {10**20} 00:00:00 GMT",
        f"Mon, {10**20} Jan 2026 00:00:00 GMT",
        f"Mon, 01 Jan 2026 {10**20}:00:00 GMT",
        f"Mon, 01 Jan 2026 00:00:00 +{10**14}",
    ],
)
def test_a_date_that_no_clock_has_says_nothing(date: str) -> None:
    """Before: it ended the courier that had asked, and with it all that a node or verifier brings there, for good."""
    assert retry_after(date) is None


@pytest.fixture(autouse=True)
def _bounded() -> None:
    """As every process of ours does."""
    bound_recursion()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_has_a_beginning_a_line_a_minute_and_an_end() -> None:
    clock, said = Clock(), list[str]()
    outage = Outage("the server", said.append, clock=clock)
    for _ in range(200):
        outage.failed("502")
        clock.now += 1.0
    outage.ended()
    outage.ended()
    assert len(said) == 1 + int((200 - GRACE_SECONDS) // EVERY_SECONDS) + 1
    assert said[0] == "the server does not answer: 502; trying again"
    assert said[-1] == "the server answers again, after 3 min 20 s"


def test_what_passes_at_once_is_told_to_nobody() -> None:
    clock, said = Clock(), list[str]()
    outage = Outage("the server", said.append, clock=clock)
    for _ in range(100):
        outage.look("502")
        clock.now += GRACE_SECONDS / 2
        outage.look(None)
    assert said == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h")]
)
def test_durations_have_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said
