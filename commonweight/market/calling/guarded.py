"""A provider whose every call ends in time, and fails as a ProviderError: a fault of one adapter, or a provider that
never answers, must not end whoever looks after machines at others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

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
OURS = (DiskFull, StoreUnusable)
"""Faults of the journal, which a launch writes to: no provider's."""
T = TypeVar("T")


class Later(Generic[T]):
    """A call in a thread that nobody joins."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._came: list[T] = []
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._came.append(work())
        except BaseException as error:  # raised again by whoever takes the answer
            self._failed.append(error)

    @property
    def is_at_work(self) -> bool:
        """Whether it has come to nothing yet."""
        return self._thread.is_alive()

    def take(self, seconds: float, what: str) -> T:
        """What it came to. Raises ProviderAway where it takes longer, and whatever the call raised."""
        self._thread.join(seconds)
        if self._failed:
            raise self._failed[0]
        if not self._came:
            raise ProviderAway(f"{what} is not there after {seconds:g} seconds", sent=True)
        return self._came[0]


class Guarded:
    """One provider. Every call raises ProviderError and nothing else of the provider's."""

    def __init__(self, provider: Provider, list_seconds: float = LIST_SECONDS) -> None:
        self._provider = provider
        self._list_seconds = list_seconds
        self._list: Later[list[Machine]] | None = None

    @property
    def facts(self) -> ProviderFacts:
        """What is known before any call."""
        return self._provider.facts

    def ask(self) -> None:
        """Ask for the list of machines, which `machines` takes."""
        self._list = Later(self._provider.machines)

    def machines(self) -> list[Machine]:
        """The list that was asked for, or a new one."""
        coming, self._list = self._list or Later(self._provider.machines), None
        return self._judged(lambda: coming.take(self._list_seconds, f"the list of {self.facts.name}"))

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """In this thread: its call takes a bounded time of its own, and writes to the journal."""
        return self._judged(lambda: self._provider.launch(offer, bootstrap, tag, noted))

    def terminate(self, machine: str) -> None:
        """End it."""
        self._timely(lambda: self._provider.terminate(machine), f"the end of {machine}")

    def spent(self, machine: str) -> MicroUsd | None:
        """What was billed."""
        return self._timely(lambda: self._provider.spent(machine), f"the bill of {machine}")

    def _timely(self, work: Callable[[], T], what: str) -> T:
        return self._judged(lambda: Later(work).take(CALL_SECONDS, what))

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
