"""Start during an outage of a needed service: a process that is left running waits for it, and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import typer
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_delay,
    stop_never,
    stop_when_event_set,
    wait_random_exponential,
)

from commonweight.terminal.console import complain_of_weather
from commonweight.terminal.failures import as_refusal
from contracts.errors import CommonweightError
from contracts.process.outage import Outage

T = TypeVar("T")
LONGEST_WAIT = 15.0
AWAY = frozenset({"rpc-unreachable", "database-unreachable", "chain-unavailable", "ledger-busy"})
"""Codes of outages, which pass by themselves."""


def wait_for(name: str, attempt: Callable[[], T], stop: threading.Event, give_up_after: float = 0.0) -> T:
    """The result of `attempt`, tried again during an outage; 0 seconds are for ever.

    Raises its other errors, and typer.Exit where `stop` is set meanwhile.
    """
    outage = Outage(name, complain_of_weather, grace=0.0)
    ends = stop_after_delay(give_up_after) if give_up_after > 0 else stop_never
    tries = Retrying(
        retry=retry_if_exception(_is_away),
        wait=wait_random_exponential(0.5, max=LONGEST_WAIT),
        sleep=sleep_using_event(stop),
        stop=stop_when_event_set(stop) | ends,
        before_sleep=lambda state: outage.failed(_refusal(state).detail),
        reraise=True,
    )
    try:
        result = tries(attempt)
    except Exception:
        if stop.is_set():
            raise typer.Exit from None
        raise
    outage.ended()
    return result


def _is_away(error: BaseException) -> bool:
    try:
        return isinstance(error, Exception) and as_refusal(error).code in AWAY
    except Exception:  # it is no refusal, and is raised as it is
        return False


def _refusal(state: RetryCallState) -> CommonweightError:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, Exception), "only what failed is tried again"
    return as_refusal(error)
