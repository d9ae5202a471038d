"""The service's functions: those of the protocol, but what a beacon draws is what it drew in the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.ids import Address, as_address
from contracts.protocol.judge.facts import RunCreated
from contracts.protocol.judge.protocol import Protocol
from tests.adversary.service.names import Names, key
from tests.adversary.sim.functions import Cheap
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL

_CHEAP = Cheap()


@dataclass(frozen=True)
class Twin(Protocol):
    """`Functions` of a service whose beacons are the simulator's.

    Coin, order of the panel, common segment and draws are drawn by the simulator's cheap functions, on its names. All
    else is `Protocol`, on real values; a data seed that it makes is bound to the name that the simulator made there.
    """

    names: Names

    @classmethod
    def of(cls, names: Names) -> Twin:
        """Those of the deployment of all histories."""
        return cls(DOMAIN.chain_id, as_address("0x" + "cd" * 20), MODEL, key("creator").address, names)

    def is_audited(self, beacon: str, proof: str, rate: int) -> bool:
        return _CHEAP.is_audited(self.names.back(beacon), self.names.back(proof), rate)

    def panel_order(self, beacon: str, proof: str, verifiers: Sequence[Address]) -> tuple[Address, ...]:
        among = [as_address(self.names.back(verifier)) for verifier in verifiers]
        order = _CHEAP.panel_order(self.names.back(beacon), self.names.back(proof), among)
        return tuple(self.names.address(name) for name in order)

    def common_segment(self, beacon: str, proof: str, segments: int) -> int:
        return _CHEAP.common_segment(self.names.back(beacon), self.names.back(proof), segments)

    def draw(self, beacon: str, secret: str, proof: str, segments: int, samples: int) -> tuple[int, ...]:
        names = self.names
        return _CHEAP.draw(names.back(beacon), names.back(secret), names.back(proof), segments, samples)

    def data_seed(self, created: RunCreated, round_number: int, theta: str) -> str:
        real = super().data_seed(created, round_number, theta)
        named = _CHEAP.data_seed(self.names.renamed(created), round_number, self.names.back(theta))
        return self.names.pair(named, real)
