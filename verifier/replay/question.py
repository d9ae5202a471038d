"""A verifier's questions to its workers and their answers, as classes. Through Celery both travel as JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from contracts.process.record import Record
from contracts.wire.fields import Object
from verifier.replay.pace import QuestionKey

UNSOUND = "a worker gave no sound result"


Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)


@dataclass(frozen=True)
class ReplayTask(Generic[Q, A]):
    """A kind of job: its name in Celery, the class of its question, and that of its answer."""

    name: str
    question: type[Q]
    answer: type[A]


@dataclass(frozen=True)
class ReplayRequest(Generic[Q, A]):
    """One question about a subject: a proof, a gradient's file or a round; `name` says which one, for people."""

    task: ReplayTask[Q, A]
    subject: str
    name: str
    question: Q

    @property
    def key(self) -> QuestionKey:
        """The subject, and the name with a digest of the question. Names of files that are checked against a digest
        (`..._blobs`) make no other question."""
        parts = {name: value for name, value in self.question.to_json().items() if not name.endswith("_blobs")}
        text = json.dumps([self.task.name, parts], sort_keys=True)
        return self.subject, f"{self.name} {hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


@dataclass(frozen=True)
class Done(Generic[A]):
    """The answer, and the seconds that it took where the task measures them."""

    answer: A
    took: float | None = None

    def to_json(self) -> Object:
        """The answer's fields, and the seconds beside them."""
        return self.answer.to_json() | ({} if self.took is None else {"took": self.took})


@dataclass(frozen=True)
class Missing(Record):
    """No answer yet: blobs that the worker did not find."""

    missing: tuple[str, ...]


@dataclass(frozen=True)
class Late(Record):
    """No answer yet: the worker gave up after so many seconds."""

    late: float


@dataclass(frozen=True)
class Unable(Record):
    """There will be no answer, for this reason."""

    unable: str


@dataclass(frozen=True)
class Away(Record):
    """No answer yet: what the worker needs from elsewhere did not come, or there is no room for it, as this says."""

    away: str


NoAnswer: TypeAlias = Missing | Late | Away | Unable
_NO_ANSWER: dict[str, type[Missing] | type[Late] | type[Away] | type[Unable]] = {
    "missing": Missing,
    "away": Away,
    "late": Late,
    "unable": Unable,
}


def read_reply(answer: type[A], body: object) -> Done[A] | NoAnswer:
    """The reply in a worker's JSON; unsound JSON is no answer either."""
    if not isinstance(body, dict):
        return Unable(UNSOUND)
    kind = next((kind for name, kind in _NO_ANSWER.items() if name in body), None)
    try:
        if kind is not None:
            return kind.from_json(body)
        fields = {name: value for name, value in body.items() if name != "took"}
        return Done(answer.from_json(fields), float(body["took"]) if "took" in body else None)
    except (TypeError, ValueError):
        return Unable(UNSOUND)
