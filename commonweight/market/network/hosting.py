"""The supplier's and the verifier's side of the board: an offer kept on the server's list, and rounds of measuring."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import random

from commonweight.market.network.board import ALL, Board
from contracts.errors import CommonweightError
from contracts.hosts.signed import Signed
from contracts.hosts.wire import HeldOffer, HeldReport, OfferBody, ReportBody
from contracts.ids import Address, as_address
from contracts.messages.for_market import HostOffer, MeasuredHost
from contracts.process.outage import Troubles
from trainer.client import ApiClient
from verifier.hosts.host import Host
from verifier.hosts.measuring import Measuring

logger = logging.getLogger(__name__)
LOOK_SECONDS = 30.0
READ_SECONDS = 600.0
SERVER = "the server's list of hosts"


@dataclass
class AdmittedVerifiers:
    """The chain's verifiers (or the server's word, where no chain is asked), read anew now and then; those of before
    stand while nobody answers."""

    read: Callable[[], Iterable[str]]
    clock: Callable[[], float]
    _known: frozenset[str] = frozenset()
    _at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> frozenset[str]:
        """Their addresses."""
        with self._lock:
            if self.clock() - self._at > READ_SECONDS:
                self._at = self.clock()
                try:
                    self._known = frozenset(self.read())
                except (CommonweightError, OSError):
                    return self._known
            return self._known


@dataclass
class Announcing:
    """Keeps one host's offer and its reports on the server's list, and says when that fails; `also` is done at each
    look."""

    host: Host
    client: ApiClient
    troubles: Troubles
    also: Callable[[], None] = lambda: None
    _told: Signed[HostOffer] | None = None

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; then the offer is withdrawn."""
        while not stop.is_set():
            self.look()
            try:
                self.also()
            except Exception:  # a machine that cannot be ended keeps no other from its end, nor the offer on the list
                logger.exception("a look at the rented machines broke")
            stop.wait(LOOK_SECONDS)
        if self._told is not None:
            self._hand(self.host.withdrawn())

    def look(self) -> None:
        """Tell the server of a new offer, and of the reports that the host was brought."""
        offer = self.host.offer()
        if offer is self._told or not self._hand(offer):
            return
        self._told = offer
        for report in self.host.reports():
            self._tried(partial(send_report, self.client, report))

    def _hand(self, offer: Signed[HostOffer]) -> bool:
        body = OfferBody.made(**offer.to_json())
        return self._tried(lambda: self.client.send(HeldOffer, "/market/offers", body))

    def _tried(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except CommonweightError as error:
            self.troubles.failed(SERVER, f"{error.code}: {error.detail}")
            return False
        self.troubles.ended(SERVER)
        return True


def send_report(client: ApiClient, report: Signed[MeasuredHost]) -> None:
    """Put a report on the server's list. Raises ApiProblem and ApiUnreachable."""
    client.send(HeldReport, "/market/reports", ReportBody.made(**report.to_json()))


@dataclass(frozen=True)
class Tried:
    """A host that was to be measured: its report, or why there is none."""

    url: str
    report: Signed[MeasuredHost] | None = None
    why: str = ""


def measured(measuring: Measuring, board: Board, url: str = "") -> Iterator[Tried]:
    """Measure the host at an address, or all of the list, one after another; each report goes to server and host.

    One that fails keeps no other from its turn; those that k verifiers know come first, the others in a drawn order, so
    that cheap offers of strangers put nobody's off for good. Raises ApiProblem and ApiUnreachable where the list cannot
    be had.
    """
    found = board.hosts(most=ALL) if not url else []
    order = sorted(found, key=lambda host: (host.measured is None, random()))  # noqa: S311
    known = [(as_address(one.offer.supplier), one.offer.url) for one in order]
    places: list[tuple[Address | None, str]] = [(None, url)] if url else [*known]
    for supplier, place in places:
        try:
            report = measuring.measure(place, supplier)
        except CommonweightError as error:
            yield Tried(place, None, f"{error.code}: {error.detail}")
            continue
        whys = (_why(measuring.bring, report), _why(partial(send_report, board.trusted.client), report))
        yield Tried(place, report, "; ".join(why for why in whys if why))


def _why(bring: Callable[[Signed[MeasuredHost]], object], report: Signed[MeasuredHost]) -> str:
    try:
        bring(report)
    except CommonweightError as error:
        return f"{error.code}: {error.detail}"
    return ""
