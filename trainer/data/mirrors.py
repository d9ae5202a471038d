"""Places that should have the same files: asked one after another, until one gives bytes that are right.

None is believed, and none can hold a node up: whoever gives other bytes, too few, too slowly or nothing is told once
and passed over, and for REST_SECONDS it is asked only where the others fail too. Each call is bounded in bytes and in
time by its origin (trainer/data/origins.py).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

from trainer.data.corpus import CorpusUnreachable, WrongCorpus
from trainer.data.origins import FolderOrigin, Origin

REST_SECONDS = 300.0
logger = logging.getLogger(__name__)
Found = TypeVar("Found")


class Mirrors:
    """At least one origin, in the order in which they are asked. `str` of it is how a person reads it."""

    def __init__(self, origins: Sequence[Origin]) -> None:
        self._origins = tuple(origins)
        self._rests: dict[Origin, float] = {}

    def __str__(self) -> str:
        return ", ".join(map(str, self._origins))

    def __len__(self) -> int:
        return len(self._origins)

    def only_folder(self) -> FolderOrigin | None:
        """The folder that is the only place: its files are read where they lie, and not copied."""
        first = self._origins[0]
        return first if len(self) == 1 and isinstance(first, FolderOrigin) else None

    def first(self, take: Callable[[Origin], Found]) -> Found:
        """What `take` gets from the first place of which it raises neither CorpusUnreachable nor WrongCorpus.

        Raises what the only place raised; of several CorpusUnreachable with the reason of each, or WrongCorpus where
        all have the wrong files.
        """
        failures: list[CorpusUnreachable | WrongCorpus] = []
        for origin in self._in_order():
            try:
                found = take(origin)
            except (CorpusUnreachable, WrongCorpus) as error:
                failures.append(error)
                self._pass_over(origin, error)
            else:
                self._rests.pop(origin, None)
                return found
        raise _joined(failures)

    def _in_order(self) -> list[Origin]:
        """Those that rest come last."""
        return sorted(self._origins, key=self._is_resting)

    def _is_resting(self, origin: Origin) -> bool:
        return monotonic() < self._rests.get(origin, 0.0)

    def _pass_over(self, origin: Origin, error: CorpusUnreachable | WrongCorpus) -> None:
        if len(self) == 1:  # who asks again tells it
            return
        if not self._is_resting(origin):
            logger.warning("%s; another place is asked, and this one last for %d s", error.detail, REST_SECONDS)
            self._rests[origin] = monotonic() + REST_SECONDS


def mirrors_of(origin: Origin | Mirrors) -> Mirrors:
    """One origin as a place without others."""
    return origin if isinstance(origin, Mirrors) else Mirrors([origin])


def shuffled(origins: Sequence[Origin]) -> list[Origin]:
    """In an order of this process' own, so that many nodes do not all ask the first one."""
    return random.SystemRandom().sample(list(origins), len(origins))


def _joined(failures: list[CorpusUnreachable | WrongCorpus]) -> CorpusUnreachable | WrongCorpus:
    if len(failures) == 1 or all(isinstance(error, WrongCorpus) for error in failures):
        return failures[0]
    return CorpusUnreachable(f"none of {len(failures)} places gives it: {'; '.join(e.detail for e in failures)}")
