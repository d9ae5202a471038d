"""A provider whose every call ends in time, and fails as a ProviderError: a fault of one adapter, or a provider that
never answers, must not end whoever looks after machines at others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from commonweight.market.calling.allowance import within
from commonweight.market.errors import ProviderAway, ProviderError
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Offer
from commonweight.market.provider import Bootstrap, Machine, Noted, Provider, ProviderFacts
from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull
from verifier.mirror.errors import StoreUnusable

logger = logging.getLogger(__name__)
LIST_SECONDS, CALL_SECONDS = 60.0, 45.0
"""For the whole list of an account's machines with all its pages, and for any other call but a launch."""
LAUNCH_SECONDS = 300.0
"""A launch may be several calls, and wait for bids."""
LOOK_SECONDS, LEAST_SECONDS = 90.0, 1.0
"""For all calls of a look but that for the list; when they are used up, each further call is waited for so long. It
is made all the same, and goes on: a provider that hangs must not keep another's machines from their end."""
MOST_AT_ONCE = 4
"""Calls for one thing that are under way: those that never end must not become more with each look."""
OURS = (DiskFull, StoreUnusable)
"""Faults of the journal, which a launch writes to: no provider's."""
T = TypeVar("T")


class Later(Generic[T]):
    """A call in a thread that nobody joins; `what` it is for, of which MOST_AT_ONCE are under way."""

    def __init__(self, work: Callable[[], T], what: str) -> None:
        self._what = what
        self._came: list[T] = []
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(work,), name=what, daemon=True)
        if sum(thread.name == what for thread in threading.enumerate()) >= MOST_AT_ONCE:
            self._failed.append(ProviderAway(f"{what}: {MOST_AT_ONCE} calls of before have no answer yet", sent=True))
            return
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no thread more
            self._failed.append(ProviderAway(f"{what}: {error}"))

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._came.append(work())
        except BaseException as error:  # raised again by whoever takes the answer
            self._failed.append(error)

    @property
    def refusal(self) -> BaseException | None:
        """Why it has failed, or was never begun; None while it may come to something."""
        return self._failed[0] if self._failed else None

    @property
    def is_at_work(self) -> bool:
        """Whether it has come to nothing yet."""
        return self._thread.is_alive()

    def take(self, seconds: float) -> T:
        """What it came to. Raises ProviderAway where it takes longer, and whatever the call raised."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        if self._failed:
            raise self._failed[0]
        if not self._came:
            raise ProviderAway(f"{self._what} is not there after {seconds:g} seconds", sent=True)
        return self._came[0]


class Guarded:
    """One provider. Every call raises ProviderError and nothing else of the provider's."""

    def __init__(self, provider: Provider, list_seconds: float = LIST_SECONDS) -> None:
        self._provider = provider
        self._list_seconds = list_seconds
        self._list: Later[list[Machine]] | None = None
        self._left = LOOK_SECONDS

    @property
    def facts(self) -> ProviderFacts:
        """What is known before any call."""
        return self._provider.facts

    def ask(self) -> None:
        """Ask for the list of machines, which `machines` takes."""
        self._list = self._asked()

    def machines(self) -> list[Machine]:
        """The list that was asked for, or a new one."""
        coming, self._list = self._list or self._asked(), None
        return self._judged(lambda: coming.take(self._list_seconds))

    def _asked(self) -> Later[list[Machine]]:
        seconds, provider = self._list_seconds, self._provider
        return Later(lambda: within(seconds, provider.machines), f"the list of {self.facts.name}")

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """What becomes of one that takes longer, the account's list decides."""
        work = Later(lambda: self._provider.launch(offer, bootstrap, tag, noted), f"the launch of {tag}")
        return self._judged(lambda: work.take(LAUNCH_SECONDS))

    def terminate(self, machine: str) -> None:
        """End it."""
        self._timely(lambda: self._provider.terminate(machine), f"the end of {machine} at {self.facts.name}")

    def spent(self, machine: str) -> MicroUsd | None:
        """What was billed."""
        return self._timely(lambda: self._provider.spent(machine), f"the bill of {machine} at {self.facts.name}")

    def _timely(self, work: Callable[[], T], what: str) -> T:
        """In what is left of the look's time."""
        seconds, began = min(CALL_SECONDS, max(LEAST_SECONDS, self._left)), monotonic()
        try:
            return self._judged(lambda: Later(lambda: within(CALL_SECONDS, work), what).take(seconds))
        finally:
            self._left -= monotonic() - began

    def _judged(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (ProviderError, *OURS):
            raise
        except CommonweightError as error:  # an answer that its adapter did not think of
            raise ProviderAway(f"{self.facts.name}: {error.code}: {error.detail}", sent=True) from error
        except Exception as error:
            logger.exception("the adapter of %s broke", self.facts.name)
            raise ProviderAway(f"the adapter of {self.facts.name} broke: {type(error).__name__}", sent=True) from error
