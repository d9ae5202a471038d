"""How long a replay may keep a worker: a multiple of what replays of the same run take.

A node can open a state whose numbers make every step fifty times as slow (close to zero, for a processor). Whoever
reads it must not come too late with everybody else's work for that.
"""

from __future__ import annotations

import statistics
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import TypeAlias

QuestionKey: TypeAlias = tuple[str, str]
"""(subject, name) of a question."""
MULTIPLE = 4.0
"""Of the usual time; twice that at each further try."""
LEAST_SECONDS = 1.0
REMEMBERED = 32


@dataclass(frozen=True)
class Effort:
    """A replay's kind (the configuration of its round), and the seconds that one may take at most."""

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
        """An answer took so long; told again, it counts once."""
        took = self._took[kind]
        took[key] = seconds
        self._late.pop(key, None)
        self._outlasted.discard(key)
        while len(took) > REMEMBERED:
            took.popitem(last=False)

    def allowed(self, effort: Effort, key: QuestionKey) -> float:
        """Seconds for the next try; half of the most while nothing is known of the kind."""
        took = self._took.get(effort.kind)
        first = max(LEAST_SECONDS, MULTIPLE * statistics.median(took.values())) if took else effort.most / 2
        return float(min(effort.most, first * 2 ** min(self._late.get(key, 0), 16)))

    def late(self, effort: Effort, key: QuestionKey, seconds: float, now: float) -> float:
        """A try ended after so many seconds without an answer; when the next one may begin. Tries anew come one after
        the other, each with as long a pause as it may take: half a worker at most."""
        self._late[key] = self._late.get(key, 0) + 1
        if self._took.get(effort.kind):
            self._outlasted.add(key)
        start = max(now, self._slow_until)
        self._slow_until = start + 4 * seconds
        return start

    def outlasted(self, key: QuestionKey) -> bool:
        """Whether a try ended that had several times what others of its kind take. A machine that is done with none of
        a kind in time says nothing of them: it may be the slow one."""
        return key in self._outlasted
