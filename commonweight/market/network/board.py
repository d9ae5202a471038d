"""The server's list of hosts as its reader checks it: the supplier's signature, those of k verifiers of the chain.

The server can leave hosts out, and can make none up: a row that its supplier did not sign is left out, and a report
counts only under the signature of a verifier that the chain has admitted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
ALL = 10**6


@dataclass(frozen=True)
class OfferedHost:
    """A host whose supplier signed the offer; `measured` is None where fewer than k verifiers signed what they
    measured. `sharing` other hosts that were measured have the same host name: one machine may be sold twice."""

    offer: HostOffer
    measured: Measured | None
    sharing: int = 0


_Line = tuple[Signed[HostOffer], tuple[Signed[MeasuredHost], ...]]


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

    def hosts(self, wanted: Callable[[HostOffer], bool] = lambda _: True, most: int = MOST_SHOWN) -> list[OfferedHost]:
        """Those that are wanted, `most` of them, each supplier's newest offer once. Raises ApiProblem, ApiUnreachable
        and AnswerMisfit."""
        lines = [(one, self._of_verifiers(line)) for line in self._lines() if (one := _read(line))]
        lines.sort(key=lambda line: (-len(_names(line[1])), line[0].message.price))
        found = self._newest([line for line in lines if wanted(line[0].message)][:most])
        places = Counter(_name(host.offer) for host in self._beside(found, lines) if host.measured is not None)
        return [replace(one, sharing=_others(one, places)) for one in found]

    def _newest(self, lines: Iterable[_Line]) -> list[OfferedHost]:
        found: dict[str, OfferedHost] = {}
        for one, reports in lines:
            host, held = self.checked(one, reports), found.get(one.message.supplier)
            if host is not None and (held is None or held.offer.issuedAt < host.offer.issuedAt):
                found[one.message.supplier] = host
        return list(found.values())

    def _beside(self, found: Sequence[OfferedHost], lines: Iterable[_Line]) -> list[OfferedHost]:
        """And measured hosts under the same host names that were not wanted: a machine may be offered twice, as two
        things. An offer that nobody measured says nothing of the host whose name it has."""
        places, known = {_name(host.offer) for host in found}, {host.offer.supplier for host in found}
        k = self.trusted.quorum.k
        others = [
            line
            for line in lines
            if _name(line[0].message) in places and line[0].message.supplier not in known and len(_names(line[1])) >= k
        ]
        return [*found, *self._newest(others[:MOST_SHOWN])]

    def _of_verifiers(self, line: HostLine) -> tuple[Signed[MeasuredHost], ...]:
        """Reports that name a verifier of the chain, unchecked: what others signed takes no room of theirs."""
        verifiers, found = self.trusted.quorum.verifiers, []
        for body in line.reports:
            try:
                one = read_signed(MeasuredHost, body)
            except CommonweightError:
                continue
            if one.message.verifier in verifiers:
                found.append(one)
        return tuple(found)

    def checked(self, one: Signed[HostOffer], reports: Sequence[Signed[MeasuredHost]]) -> OfferedHost | None:
        """The host where its supplier signed this offer, and it stands."""
        try:
            offer = require_offer(one, self.model, self.now(), self.loopback)
        except CommonweightError as error:
            logger.warning("a host is left out: %s", error.detail)
            return None
        return OfferedHost(offer, combined(self._reports(reports, offer), self.trusted.quorum.k))

    def _reports(self, reports: Sequence[Signed[MeasuredHost]], offer: HostOffer) -> Iterator[MeasuredHost]:
        standards = standard_digests()
        for one in reports[: 2 * len(self.trusted.quorum.verifiers)]:
            try:
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
    return (urlsplit(offer.url).hostname or "").rstrip(".")


def _names(reports: Iterable[Signed[MeasuredHost]]) -> set[str]:
    return {one.message.verifier for one in reports}


def _others(host: OfferedHost, places: Mapping[str, int]) -> int:
    return places.get(_name(host.offer), 0) - (host.measured is not None)
