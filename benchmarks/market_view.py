"""A cold start that gathers offers, for benchmarks.market_offers: it loads what a renter's command loads, and no more.

    python -m benchmarks.market_view SECONDS STARTED LISTS KIND=URL...

STARTED is the monotonic clock at which the process was started; the answer is one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

from commonweight.market.offers import Offer, OfferKind, Query
from commonweight.market.provider import Provider
from commonweight.market.providers.akash import Akash
from commonweight.market.providers.dstack import Dstack
from commonweight.market.providers.ionet import IoNet
from commonweight.market.providers.lambda_cloud import LambdaCloud
from commonweight.market.providers.price_lists import price_lists
from commonweight.market.providers.vast import Vast
from commonweight.market.view.gathering import gather

KEY = "a-key-of-all-stand-ins"
ADAPTERS: dict[str, Callable[[str], Provider]] = {
    "akash": lambda url: Akash(url, KEY),
    "dstack": lambda url: Dstack(url, KEY, "main"),
    "ionet": lambda url: IoNet(url, KEY),
    "lambda": lambda url: LambdaCloud(url, KEY),
    "vast": lambda url: Vast(url, KEY),
}


class Timed:
    """A provider that notes when its offers were there."""

    def __init__(self, provider: Provider, started: float) -> None:
        self.facts = provider.facts
        self.seconds: float | None = None
        self._provider = provider
        self._started = started

    def offers(self, query: Query) -> list[Offer]:
        """The provider's."""
        found = self._provider.offers(query)
        self.seconds = time.monotonic() - self._started
        return found


def main(arguments: Sequence[str]) -> None:
    """Gather once, and say what came when."""
    seconds, started = float(arguments[0]), float(arguments[1])
    providers: list[Provider] = [*price_lists(arguments[2].split(","))]
    for kind, _, url in (argument.partition("=") for argument in arguments[3:]):
        providers.append(ADAPTERS[kind](url))
    timed = [Timed(provider, started) for provider in providers]
    begun = time.monotonic() - started
    found = gather(timed, Query(kinds=frozenset(OfferKind)), seconds)  # type: ignore[arg-type]
    answer = {
        "offers": len(found.offers),
        "failed": [failure.to_json() for failure in found.failed],
        "loaded": begun,
        "rest": max((one.seconds for one in timed if one.seconds is not None), default=None),
        "all": time.monotonic() - started,
        "cpu": time.process_time(),
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
