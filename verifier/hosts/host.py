"""A supplier's host: its offer, which it signs anew before it ends, and the reports that verifiers brought."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from contracts.hosts.errors import HostMessageOld
from contracts.hosts.signed import Model, Signed, require_report, signed
from contracts.ids import ZERO_ADDRESS, Address
from contracts.messages.for_market import HostOffer, MeasuredHost

LASTS = 3600
"""Seconds that an offer lasts: half of it later it is signed anew."""
MOST_REPORTS = 64
"""Reports that a host keeps; beyond them the oldest goes."""

Clock = Callable[[], int]


@dataclass(frozen=True)
class Terms:
    """What the supplier says of its machine, as `HostOffer` has it."""

    url: str
    country: str
    gpu: str
    gpus: int
    gpu_memory: int
    cpus: int
    memory: int
    disk: int
    price: int
    payout: Address
    contact: str
    rents: bool


@dataclass
class Host:
    """One host of one supplier (`key`) for one model. `verifiers` gives the admitted ones; `profiles` are digests of
    the numerics profiles in which this machine computes, by name, as 0x-hex."""

    model: Model
    key: bytes
    supplier: Address
    terms: Terms
    verifiers: Callable[[], Collection[str]]
    now: Clock
    profiles: dict[str, str] = field(default_factory=dict)
    lasts: int = LASTS
    _offer: Signed[HostOffer] | None = None
    _reports: dict[str, Signed[MeasuredHost]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self) -> Signed[HostOffer]:
        """The offer as it stands."""
        with self._lock:
            now = self.now()
            if self._offer is None or self._offer.message.expiresAt - now < self.lasts // 2:
                self._offer = signed(self._message(now), self.model, self.key)
            return self._offer

    def withdrawn(self) -> Signed[HostOffer]:
        """The offer in a form that ends at once: the newest one counts."""
        now = self.now()
        return signed(replace(self._message(now), expiresAt=now + 1), self.model, self.key)

    def take_report(self, one: Signed[MeasuredHost]) -> MeasuredHost:
        """Keep a verifier's report, to be shown beside the offer. Raises as `require_report`, and HostMessageOld."""
        report = require_report(one, self.model, self.verifiers(), self.now(), self.offer().message)
        with self._lock:
            held = self._reports.get(report.verifier)
            if held is not None and held.message.measuredAt >= report.measuredAt:
                raise HostMessageOld("a newer report of this verifier is held")
            if held is None and len(self._reports) >= MOST_REPORTS:
                self._reports.pop(min(self._reports, key=lambda name: self._reports[name].message.measuredAt))
            self._reports[report.verifier] = one
        return report

    def reports(self) -> list[Signed[MeasuredHost]]:
        """The newest report of each verifier."""
        with self._lock:
            return list(self._reports.values())

    def _message(self, now: int) -> HostOffer:
        terms = self.terms
        return HostOffer(
            model=self.model.model,
            supplier=self.supplier,
            url=terms.url,
            country=terms.country,
            gpu=terms.gpu,
            gpus=terms.gpus,
            gpuMemory=terms.gpu_memory,
            cpus=terms.cpus,
            memory=terms.memory,
            disk=terms.disk,
            price=terms.price,
            payout=terms.payout if terms.payout != ZERO_ADDRESS else self.supplier,
            contact=terms.contact,
            rents=terms.rents,
            issuedAt=now,
            expiresAt=now + self.lasts,
        )
