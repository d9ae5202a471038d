"""The server's list of hosts as its reader checks it: the supplier's signature, those of k verifiers of the chain.

The server can leave hosts out, and can make none up: a row that its supplier did not sign is left out, and a report
counts only under the signature of a verifier that the chain has admitted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from commonweight.model.trusted import Trusted
from contracts.errors import CommonweightError
from contracts.hosts.measured import Measured, combined
from contracts.hosts.signed import Model, Signed, read_signed, require_offer, require_report
from contracts.hosts.standard import standard_digests
from contracts.hosts.wire import HostLine
from contracts.ids import from_hex
from contracts.messages.for_market import HostOffer, MeasuredHost
from contracts.messages.signatures import Domain
from contracts.wire.fields import PAGE

logger = logging.getLogger(__name__)
MOST_PAGES = 12
"""More than a server's list has (ledger/hosts.py)."""
MOST_SHOWN = 200
"""Hosts whose signatures are checked for one view: those that verifiers measured first, then the cheapest."""


@dataclass(frozen=True)
class OfferedHost:
    """A host whose supplier signed the offer; `measured` is None where fewer than k verifiers signed what they
    measured. `sharing` other offers have the same host name: one machine may be sold twice."""

    offer: HostOffer
    measured: Measured | None
    sharing: int = 0


@dataclass
class Board:
    """One server's list; `trusted` are the model and the verifiers, by the chain where one is asked."""

    trusted: Trusted
    now: Callable[[], int]
    loopback: bool = False

    @property
    def model(self) -> Model:
        """The model whose hosts these are."""
        deployment = self.trusted.deployment
        return Model(from_hex(deployment.model), Domain(deployment.chain_id, deployment.model_registry))

    def hosts(self, wanted: Callable[[HostOffer], bool] = lambda _: True) -> list[OfferedHost]:
        """Those that are wanted. Raises ApiProblem, ApiUnreachable and AnswerMisfit."""
        lines = [(one, line.reports) for line in self._lines() if (one := _read(line)) and wanted(one.message)]
        lines.sort(key=lambda line: (-len(line[1]), line[0].message.price))
        found = [host for one, reports in lines[:MOST_SHOWN] if (host := self.checked(one, reports))]
        names = Counter(_name(host.offer) for host in found)
        return [OfferedHost(one.offer, one.measured, names[_name(one.offer)] - 1) for one in found]

    def checked(self, one: Signed[HostOffer], reports: Iterable[object]) -> OfferedHost | None:
        """The host where its supplier signed this offer, and it stands."""
        try:
            offer = require_offer(one, self.model, self.now(), self.loopback)
        except CommonweightError as error:
            logger.warning("a host is left out: %s", error.detail)
            return None
        quorum = self.trusted.quorum
        return OfferedHost(offer, combined(self._reports(reports, offer), quorum.k))

    def _reports(self, bodies: Iterable[object], offer: HostOffer) -> Iterator[MeasuredHost]:
        standards = standard_digests()
        for body in list(bodies)[: 2 * len(self.trusted.quorum.verifiers)]:
            try:
                one = read_signed(MeasuredHost, body)
                report = require_report(one, self.model, self.trusted.quorum.verifiers, self.now(), offer)
            except CommonweightError as error:
                logger.warning("a report about %s is left out: %s", offer.supplier, error.detail)
                continue
            if report.standard in standards:
                yield report

    def _lines(self) -> Iterator[HostLine]:
        after = ""
        for _ in range(MOST_PAGES):
            page: Sequence[HostLine] = self.trusted.client.read_list(HostLine, "/market/hosts", after=after, limit=PAGE)
            yield from page
            last = _read(page[-1]) if page else None
            if len(page) < PAGE or last is None or last.message.supplier <= after:
                return
            after = last.message.supplier


def _read(line: HostLine) -> Signed[HostOffer] | None:
    try:
        return read_signed(HostOffer, line.offer)
    except CommonweightError as error:
        logger.warning("a host is left out: %s", error.detail)
        return None


def _name(offer: HostOffer) -> str:
    return urlsplit(offer.url).hostname or ""
