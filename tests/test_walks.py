"""docs/walks.md: how long the walks are, that their functions exist, and what playing them would miss."""

from __future__ import annotations

import pytest

from tests import test_walks
from tests.walked import MOST_RETURNS, MOST_STOPS, check_order, followed, returns, walks

pytestmark = pytest.mark.unit

TITLES = [
    "A proof to its token",
    "A vote to the next round",
    "A questioned segment",
    "A claim",
    "A joining verifier",
]
FIRST, SECOND = ("tests/test_walks.py:first", "tests/test_walks.py:second")


def first(number: int, *, twice: bool = False) -> int:
    return number * 2 if twice else number


def second(number: int = 3) -> int:
    return number


def test_the_page_has_the_five_walks() -> None:
    assert list(walks()) == TITLES


@pytest.mark.parametrize("title", TITLES)
def test_a_walk_is_short_and_seldom_returns(title: str) -> None:
    stops = walks()[title]
    assert 8 <= len(stops) <= MOST_STOPS
    assert len(set(stops)) == len(stops)
    assert returns(stops) <= MOST_RETURNS


def test_a_return_is_a_file_that_was_left_before() -> None:
    assert returns(["a:x", "a:y", "b:x", "c:x"]) == 0
    assert returns(["a:x", "b:x", "a:y", "b:y", "b:z"]) == 2


@pytest.mark.parametrize("title", TITLES)
def test_the_functions_of_a_walk_can_be_followed(title: str) -> None:
    """Each exists, and is one whose calls are seen wherever it is held."""
    with followed(walks()[title]) as calls:
        assert calls == []


def test_calls_are_followed_through_every_reference() -> None:
    held = first
    with followed([FIRST, SECOND]) as calls:
        assert (held(4), first(4, twice=True), second()) == (4, 8, 3)
    assert calls == [FIRST, FIRST, SECOND]
    assert (held(1), second(2), calls) == (1, 2, [FIRST, FIRST, SECOND])


def test_a_function_that_was_not_called_fails_the_walk() -> None:
    with pytest.raises(AssertionError, match="never called"):
        check_order([FIRST, SECOND], [FIRST])
    with pytest.raises(AssertionError, match="never called"):
        check_order([FIRST, SECOND], [SECOND, FIRST])


def test_another_order_fails_the_walk() -> None:
    check_order([FIRST, SECOND], [SECOND, FIRST, SECOND, FIRST])
    with pytest.raises(AssertionError):
        check_order([FIRST, SECOND, "c"], [FIRST, "c", SECOND])


def test_a_function_is_itself_again_though_the_play_fails() -> None:
    code = test_walks.first.__code__
    with pytest.raises(ZeroDivisionError):
        play_that_fails()
    assert test_walks.first.__code__ is code


def play_that_fails() -> None:
    code = test_walks.first.__code__
    with followed([FIRST]):
        assert test_walks.first.__code__ is not code
        raise ZeroDivisionError
