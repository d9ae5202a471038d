"""All providers asked at once: one that is late or fails is named, and holds up and hides no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue

from commonweight.market.calling.allowance import within
from commonweight.market.calling.guarded import Later
from commonweight.market.offers import Offer, Query
from commonweight.market.provider import Provider
from contracts.errors import CommonweightError
from contracts.process.record import Record

logger = logging.getLogger(__name__)
LATE = "provider-late"
BROKEN = "adapter-broken"
LATER_SECONDS = 5.0
"""A provider that is late is not asked on for longer."""


@dataclass(frozen=True)
class Failure(Record):
    """A provider whose offers are not in the view, and why: `code` is that of the error, `provider-late`, or
    `adapter-broken` for a fault of ours."""

    provider: str
    code: str
    detail: str


@dataclass(frozen=True)
class Gathered:
    """What came in time, in the order of the providers, and who failed."""

    offers: tuple[Offer, ...]
    failed: tuple[Failure, ...]


@dataclass(frozen=True)
class _Answer:
    place: int
    offers: Sequence[Offer] = ()
    failure: Failure | None = None


def gather(providers: Sequence[Provider], query: Query, seconds: float) -> Gathered:
    """Offers of all providers, each given so many seconds. Of offers with one name at one provider, the cheapest
    counts. Raises nothing of a provider's."""
    end = time.monotonic() + seconds
    answers: SimpleQueue[_Answer] = SimpleQueue()
    for place, provider in enumerate(providers):
        # A thread that nobody joins: one that hangs keeps neither this call nor the process.
        work = partial(within, seconds + LATER_SECONDS, partial(_ask, place, provider, query, answers))
        never = Later(work, f"the offers of {provider.facts.name}").refusal
        if isinstance(never, CommonweightError):
            answers.put(_Answer(place, failure=Failure(provider.facts.name, never.code, never.detail)))
    came = {answer.place: answer for answer in _until(end, answers, len(providers))}
    late = f"no answer within {seconds:g} seconds"
    ordered = [
        came.get(place) or _Answer(place, failure=Failure(provider.facts.name, LATE, late))
        for place, provider in enumerate(providers)
    ]
    offers = _each_once(offer for answer in ordered for offer in answer.offers)
    return Gathered(offers, tuple(answer.failure for answer in ordered if answer.failure))


def _ask(place: int, provider: Provider, query: Query, answers: SimpleQueue[_Answer]) -> None:
    name = provider.facts.name
    try:
        answers.put(_Answer(place, provider.offers(query)))
    except CommonweightError as error:
        answers.put(_Answer(place, failure=Failure(name, error.code, error.detail)))
    except Exception as error:  # a fault of one adapter is no reason to show nothing
        logger.exception("the adapter of %s broke", name)
        answers.put(_Answer(place, failure=Failure(name, BROKEN, type(error).__name__)))


def _until(end: float, answers: SimpleQueue[_Answer], count: int) -> list[_Answer]:
    came: list[_Answer] = []
    while len(came) < count:
        try:
            came.append(answers.get(timeout=max(0.0, end - time.monotonic())))
        except Empty:
            break
    return came


def _each_once(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    found: dict[tuple[str, str], Offer] = {}
    for offer in offers:
        known = found.setdefault((offer.provider, offer.name), offer)
        if offer.price.total < known.price.total:
            found[offer.provider, offer.name] = offer
    return tuple(found.values())
