"""The functions of the machine: draws, seals, configurations and roots, given to it as functions.

A service gives those of the protocol; the adversary beside the tests gives cheap ones, so that a history takes
milliseconds. All are pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.ids import Address, ProofId
from contracts.protocol.judge.entries import Line
from contracts.protocol.judge.facts import Anchored, RunCreated


@dataclass(frozen=True, slots=True)
class CapitalTerms:
    """What a configuration says of money spent on its run: the weight of capital in an emission, the most that is
    credited, the price of a whole token (0: no invoice is taken), and the most that may be paid back from the treasury.
    In micro-USD but the weight."""

    weight: int = 0
    cap: int = 0
    price: int = 0
    budget: int = 0


class Functions(Protocol):
    """Pure functions of their arguments."""

    def data_seed(self, created: RunCreated, round_number: int, theta: str) -> str:
        """Seed of a round's batches."""

    def is_audited(self, beacon: str, proof: ProofId, rate: int) -> bool:
        """The coin: whether a proof is read at this rate (parts per million)."""

    def panel_order(self, beacon: str, proof: ProofId, verifiers: Sequence[Address]) -> tuple[Address, ...]:
        """The order in which verifiers take seats."""

    def common_segment(self, beacon: str, proof: ProofId, segments: int) -> int:
        """The segment that every seat of a proof reads."""

    def draw(self, beacon: str, secret: str, proof: ProofId, segments: int, samples: int) -> tuple[int, ...]:
        """A seat's segments, ascending; the common one is among them."""

    def check_creator(self, creator: Address) -> None:
        """Raises Refused unless the creator may open runs in this deployment."""

    def check_secret(self, anchored: Anchored, index: int, secret: str, path: Sequence[str]) -> None:
        """Raises Refused unless `secret` is the anchor's own at that index: of its run and its verifier."""

    def check_opening(self, root: str, boundaries: int, boundary: int, state: str, path: Sequence[str]) -> None:
        """Raises Refused unless `state` is entry `boundary` of the committed `boundaries` under `root`."""

    def seal_pledge(self, node: Address, salt: str, fake: int | None) -> str:
        """The seal to which a node commits."""

    def seal_trace(self, verifier: Address, trace: str) -> str:
        """The witness that a verifier must give."""

    def digest(self, config: str) -> str:
        """The digest by which a commitment names a configuration."""

    def rounds(self, config: str) -> int:
        """How many rounds a configuration has."""

    def segments(self, config: str) -> int:
        """Segments of a round."""

    def tokens(self, config: str) -> int:
        """Tokens of a node's round."""

    def decide(self, config: str, key: str, value: str) -> str:
        """The configuration after a decision. Raises Refused with the reason."""

    def check_quorum(self, config: str, signers: Sequence[Address]) -> None:
        """Raises Refused unless the configuration's maintainers vouch."""

    def capital(self, config: str) -> CapitalTerms:
        """A configuration's terms of capital."""

    def lines(
        self, epoch: int, config: str, contributed: dict[int, dict[Address, int]], total: int
    ) -> tuple[Line, ...]:
        """Whole-number payouts of an epoch that sum to `total`, or none where nothing was contributed."""

    def root(self, epoch: int, lines: Sequence[Line]) -> str:
        """The payout root of these lines."""
