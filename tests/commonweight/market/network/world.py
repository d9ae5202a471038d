"""A renter of this network: a board whose lines the test writes, and hosts that serve on loopback."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from commonweight.market.network.board import Board
from commonweight.market.network.provider import Network
from commonweight.model.trusted import Trusted
from contracts.hosts.signed import Signed
from contracts.hosts.standard import EXACT, standard_in
from contracts.hosts.wire import HostLine
from contracts.ids import as_address, to_hex
from tests.contracts.hosts import offered
from tests.contracts.hosts.offered import MODEL, NAMES, RENTER, VERIFIERS
from tests.verifier.conftest import NOWHERE
from tests.verifier.hosts.served import Clock
from trainer.client import ApiClient
from verifier.receipt.cosigned_log import VerifierQuorum

STANDARD = standard_in(EXACT).digest()
DEPLOYMENT = replace(
    NOWHERE,
    chain_id=MODEL.domain.chain_id,
    model=to_hex(MODEL.model),
    model_registry=as_address(MODEL.domain.verifying_contract),
)


def _supplier(line: HostLine) -> str:
    message = line.offer.get("message", {})
    return str(message.get("supplier", "")) if isinstance(message, dict) else ""


@dataclass
class Listing:
    """A server that lists what it is told to."""

    lines: list[HostLine] = field(default_factory=list)

    def read_list(self, kind: type[HostLine], path: str, after: str, limit: int) -> list[HostLine]:
        return [line for line in self.lines if _supplier(line) > after][:limit]

    def add(self, offer: Signed[Any], *reports: Signed[Any]) -> None:
        """One more host."""
        self.lines.append(HostLine(offer=offer.to_json(), reports=[one.to_json() for one in reports]))


def measured_by(count: int, about: Any = offered.SUPPLIER, **changes: Any) -> list[Signed[Any]]:
    """Reports of so many verifiers."""
    given = {"standard": STANDARD} | changes
    return [offered.report(verifier, about, **given) for verifier in VERIFIERS[:count]]


@dataclass
class Renter:
    """A renter's network, whose k is 2."""

    folder: Path
    listing: Listing = field(default_factory=Listing)
    clock: Clock = field(default_factory=Clock)
    seconds: Clock = field(default_factory=lambda: Clock(0))

    @property
    def board(self) -> Board:
        trust = Trusted(cast(ApiClient, self.listing), DEPLOYMENT, VerifierQuorum(NAMES, 2))
        return Board(trust, self.clock, True)

    def network(self) -> Network:
        """The provider, as another process would open it."""
        key = bytes(RENTER.key).hex()
        made = Network("http://127.0.0.1:1", key, self.folder, self.clock, self.seconds, self.board)
        made._known_at = float("inf")
        return made
