"""Delivery of messages and blobs to one target, until nobody offers them any more: a courier for each target.

Weather (contracts/wire/answers.py) is waited out; a refusal of ours is an answer, and is reported. A parcel that was
taken is brought again after a while, since only the log and the verifiers' words prove that it arrived.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from contracts.errors import CommonweightError
from contracts.mirrors.peer import PeerUnreachable, Reply
from contracts.wire.answers import is_done, refusal_in

MESSAGE_AGAIN, BLOB_AGAIN = 60.0, 600.0
"""Seconds after which a parcel that a target took is brought to it once more."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0
"""Seconds until the next try: they double, and vary by half."""
LEAST_RATE = 2**16
"""Bytes a second at which a blob must go out, beside CALL_SECONDS."""
CALL_SECONDS = 30.0
MOST_RETRY_AFTER = 60.0
"""The largest Retry-After of a target that is obeyed, in seconds: it is no reason to be late."""


class File(Protocol):
    """A file with a blob's bytes."""

    def read_bytes(self) -> bytes:
        """All bytes. Raises CommonweightError and OSError."""


@dataclass(frozen=True)
class Parcel:
    """A message (`text`), or a blob in a file whose name is its digest."""

    name: str
    text: str = ""
    file: File | None = None


@dataclass(frozen=True)
class ParcelRefusal:
    """A target's refusal of a parcel: a problem document's code and detail."""

    target: str
    parcel: str
    code: str
    detail: str


Post: TypeAlias = Callable[[bytes], Awaitable[Reply]]
Put: TypeAlias = Callable[[str, bytes, float], Awaitable[Reply]]


@dataclass
class _Course:
    """The delivery of one parcel to a target."""

    due: float = 0.0
    tries: int = 0
    taken: bool = False


class Courier:
    """Brings parcels to one target in their order, one at a time. `post` takes a message, `put` a blob by its digest;
    `longest` seconds lie between two tries at most (LONGEST_WAIT, without), `again` until a message that was taken is
    brought once more (MESSAGE_AGAIN, without).

    All is called from one event loop.
    """

    def __init__(
        self,
        target: str,
        post: Post,
        put: Put,
        on_refusal: Callable[[ParcelRefusal], None],
        longest: float | None = None,
        again: float | None = None,
    ) -> None:
        self._target = target
        self._post = post
        self._put = put
        self._on_refusal = on_refusal
        self._longest = longest
        self._message_again = again
        self._parcels: tuple[Parcel, ...] = ()
        self._courses: dict[str, _Course] = {}
        self._news = asyncio.Event()
        self._failures = 0
        self._pause = 0.0

    def offer(self, parcels: Sequence[Parcel]) -> None:
        """Deliver these parcels from now on, in this order, and no others."""
        names = {parcel.name for parcel in parcels}
        self._courses = {name: course for name, course in self._courses.items() if name in names}
        self._parcels = tuple(parcels)
        self._news.set()

    def has(self, name: str) -> bool:
        """Whether the target took a parcel."""
        course = self._courses.get(name)
        return course is not None and course.taken

    def fails(self, name: str) -> bool:
        """Whether a parcel was brought several times in vain."""
        course = self._courses.get(name)
        return course is not None and not course.taken and course.tries >= 3

    async def run(self) -> None:
        """Deliver until the task is cancelled."""
        while True:
            self._news.clear()
            parcel, seconds = self._next()
            if parcel is None:
                await _wait(self._news, seconds)
            else:
                await self.bring(parcel)
                await asyncio.sleep(0)  # a target that answers at once must not hold up the others

    async def bring(self, parcel: Parcel) -> None:
        """One try. Raises nothing but CancelledError: any failure is weather, or an answer."""
        course = self._courses.setdefault(parcel.name, _Course())
        course.tries += 1
        try:
            reply = await self._send(parcel)
        except (CommonweightError, OSError) as error:
            self._weather(course, error.retry_after if isinstance(error, PeerUnreachable) else None)
            return
        refusal = self._refusal(parcel, reply)
        if refusal is None and not is_done(reply.status, reply.body):
            self._weather(course, reply.retry_after)
            return
        self._failures = 0
        course.taken = refusal is None
        course.due = time.monotonic() + self._again(parcel, course)
        if refusal is not None:
            self._on_refusal(refusal)

    def _again(self, parcel: Parcel, course: _Course) -> float:
        if course.taken:
            message = MESSAGE_AGAIN if self._message_again is None else self._message_again
            return message if parcel.file is None else BLOB_AGAIN
        return self._backoff(course.tries)

    async def _send(self, parcel: Parcel) -> Reply:
        if parcel.file is None:
            return await self._post(parcel.text.encode())
        data = await asyncio.to_thread(parcel.file.read_bytes)
        return await self._put(parcel.name, data, CALL_SECONDS + len(data) / LEAST_RATE)

    def _refusal(self, parcel: Parcel, reply: Reply) -> ParcelRefusal | None:
        problem = refusal_in(reply.status, reply.media_type, reply.body)
        return None if problem is None else ParcelRefusal(self._target, parcel.name, problem.code, problem.detail[:500])

    def _weather(self, course: _Course, retry_after: float | None) -> None:
        self._failures += 1
        least = min(MOST_RETRY_AFTER, retry_after or 0.0)
        course.due = time.monotonic() + max(least, self._backoff(course.tries))
        self._pause = time.monotonic() + max(least, self._backoff(self._failures))

    def _next(self) -> tuple[Parcel | None, float]:
        """The first parcel that is due, or the seconds until there is one."""
        now = time.monotonic()
        if not self._parcels:
            return None, LONGEST_WAIT
        if self._pause > now:
            return None, self._pause - now
        dues = [self._courses.setdefault(parcel.name, _Course()).due for parcel in self._parcels]
        parcel = next((parcel for parcel, due in zip(self._parcels, dues, strict=True) if due <= now), None)
        return parcel, min(dues) - now

    def _backoff(self, tries: int) -> float:
        longest = LONGEST_WAIT if self._longest is None else self._longest
        wait = min(longest, FIRST_WAIT * float(1 << min(tries - 1, 16)))
        return wait * random.uniform(0.5, 1.5)  # noqa: S311 - spread over time, no secret


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return
