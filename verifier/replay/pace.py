"""The time that a replay may keep a worker: a multiple of the time of other replays of the same run.

A node can open a state whose numbers make every step fifty times as slow (close to zero, for a processor). A verifier
that reads it must not be late with the work of all other nodes for that.
"""

from __future__ import annotations

import statistics
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import TypeAlias

QuestionKey: TypeAlias = tuple[str, str]
"""(subject, name) of a question."""
MULTIPLE = 4.0
"""Multiple of the usual time; twice that at each further try."""
LEAST_SECONDS = 1.0
REMEMBERED = 32


@dataclass(frozen=True)
class Effort:
    """A replay's kind (the configuration by which its node computed), and the seconds that one may take at most."""

    kind: str
    most: float


class ReplayPace:
    """Seconds that answered questions took, by kind."""

    def __init__(self) -> None:
        self._took: defaultdict[str, OrderedDict[QuestionKey, float]] = defaultdict(OrderedDict)
        self._late: dict[QuestionKey, int] = {}
        self._outlasted: set[QuestionKey] = set()
        self._slow_until = 0.0

    def note(self, kind: str, key: QuestionKey, seconds: float) -> None:
        """Note the time of an answer; a repeated answer counts once."""
        took = self._took[kind]
        took[key] = seconds
        self._late.pop(key, None)
        self._outlasted.discard(key)
        while len(took) > REMEMBERED:
            took.popitem(last=False)

    def allowed(self, effort: Effort, key: QuestionKey) -> float:
        """Seconds for the next try; half of the most while no answer of the kind is known."""
        took = self._took.get(effort.kind)
        first = max(LEAST_SECONDS, MULTIPLE * statistics.median(took.values())) if took else effort.most / 2
        return float(min(effort.most, first * 2 ** min(self._late.get(key, 0), 16)))

    def late(self, effort: Effort, key: QuestionKey, seconds: float, now: float) -> float:
        """Note that a try ended after so many seconds without an answer; returns when the next one may begin. Further
        tries come one after the other, each with a pause as long as it may take: half a worker at most."""
        self._late[key] = self._late.get(key, 0) + 1
        if self._took.get(effort.kind):
            self._outlasted.add(key)
        start = max(now, self._slow_until)
        self._slow_until = start + 4 * seconds
        return start

    def outlasted(self, key: QuestionKey) -> bool:
        """Whether a try ended that had several times the time of others of its kind. A machine that is done with none
        of a kind in time proves nothing of them: it may be the slow one."""
        return key in self._outlasted
