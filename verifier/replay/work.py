"""Jobs of the workers as questions: questions stand in rows, and an answer is there or not there yet.

Bytes that a worker did not find are fetched by the next looks, and the same question is asked anew, later each time. So
it is where shards or first weights did not come: an origin that is away for a moment takes no word from anybody.

A question is identified by all its fields: a question about one log is answered for that log alone, and another log, on
which other bytes are named, makes another question.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from contracts.ids import ProofId
from verifier.jobs.rows import JobRow, JobState, Key, Order
from verifier.replay.pace import Effort, QuestionKey, ReplayPace
from verifier.replay.question import A, Away, Done, Late, Missing, NoAnswer, Q, ReplayRequest, Unable, read_reply

LONGEST_PAUSE_SECONDS = 60.0


class Board(Protocol):
    """verifier/jobs/dispatch.py:JobBoard."""

    def one(self, order: Order) -> JobRow:
        """Take on one job unless it was taken on before; returns its row."""

    def keep(self, subjects: Collection[str]) -> None:
        """Forget the jobs of all other subjects."""


class Work:
    """Asks workers. `has` says whether a blob is here; `report` gets troubles, once a question."""

    def __init__(
        self,
        board: Callable[[], Board],
        has: Callable[[str], bool],
        attempts: int,
        report: Callable[[ProofId, str], None],
    ) -> None:
        self._board = board
        self._has = has
        self._attempts = attempts
        self._report = report
        self._tries: dict[QuestionKey, tuple[int, float]] = {}
        self._said: set[QuestionKey] = set()
        self._pace = ReplayPace()

    def ask(
        self,
        request: ReplayRequest[Q, A],
        needs: Collection[str],
        any_of: Sequence[Collection[str]] = (),
        effort: Effort | None = None,
    ) -> A | None:
        """The answer, None until there is one.

        The question waits until all blobs in `needs` are here, and one of each list in `any_of`. With `effort` a worker
        gives up in time, measures its time, and is asked anew when that holds no other work up.
        """
        key = request.key
        number, earliest = self._tries.get(key, (0, 0.0))
        ready = all(map(self._has, needs)) and all(any(map(self._has, blobs)) for blobs in any_of if blobs)
        if time.monotonic() < earliest or not ready:
            return None
        body = request.question.to_json()
        arguments = (body,) if effort is None else (body, self._pace.allowed(effort, key))
        job = self._board().one(Order(Key(key[0], number, key[1]), request.task.name, arguments, self._attempts))
        if job.state == JobState.DEAD:
            self._tell(key, job.reason())
        if job.state != JobState.DONE:
            return None
        return self._taken(key, number, read_reply(request.task.answer, job.result), effort)

    def keep(self, subjects: Collection[str]) -> None:
        """Forget questions about all other subjects."""
        self._board().keep(subjects)
        self._tries = {key: attempt for key, attempt in self._tries.items() if key[0] in subjects}
        self._said = {key for key in self._said if key[0] in subjects}

    def outlasted(self, request: ReplayRequest[Q, A]) -> bool:
        """Whether a worker gave this question up after several times the time of others of its kind."""
        return self._pace.outlasted(request.key)

    def _taken(self, key: QuestionKey, number: int, reply: Done[A] | NoAnswer, effort: Effort | None) -> A | None:
        now = time.monotonic()
        match reply:
            case Done(answer, took):
                if effort is not None and took is not None:
                    self._pace.note(effort.kind, key, took)
                return answer
            case Missing():
                self._tries[key] = (number + 1, now + _pause(number))
            case Away(why):
                self._tries[key] = (number + 1, now + _pause(number))
                self._tell(key, why)
            case Late(seconds) if effort is not None:
                self._tries[key] = (number + 1, self._pace.late(effort, key, seconds, now))
                self._tell(key, f"not done after {seconds:.1f} s: tried again beside the rest, with more time")
            case Unable(why):
                self._tell(key, why)
        return None

    def _tell(self, key: QuestionKey, why: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._report(ProofId(key[0]), f"{key[1]}: {why}")


def _pause(number: int) -> float:
    """Seconds before a question is asked anew, after so many tries."""
    return min(LONGEST_PAUSE_SECONDS, 0.5 * 2.0 ** min(number, 10))
