"""Cards as their maker publishes them: memory, and arithmetic without sparsity.

Sources, all of NVIDIA: the Ampere GA102 whitepaper (3070, 3080, 3090, A6000), the Ada whitepaper (4080, 4090), the
product pages of the 3060, 4060 Ti and 4070 (their "shader TFLOPS"; they name no dense bf16), the data sheets of the
A4000, A5000, L4, L40S, A100, H100 SXM and H200 SXM. Where a sheet names bf16 with sparsity only, it is half of that, as
the sheet says; the bf16 of GeForce cards is that with float32 sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from commonweight.market.gpus import require_gpu
from contracts.errors import CommonweightError


class UnknownCard(CommonweightError):
    """A card whose figures are not in the table."""

    code = "unknown-card"


@dataclass(frozen=True)
class Card:
    """`name` as the market has it, `memory` in GB, and 10^12 operations a second: float32 without tensor cores, bf16
    with them (None where its maker names none)."""

    name: str
    memory: int
    float32: float
    bf16: float | None

    @property
    def title(self) -> str:
        """The name with the memory: some are sold in two sizes."""
        return f"{self.name} {self.memory} GB"


CARDS: tuple[Card, ...] = (
    Card("3060", 12, 13.0, None),
    Card("3070", 8, 20.3, 40.6),
    Card("3080", 10, 29.8, 59.5),
    Card("3090", 24, 35.6, 71.0),
    Card("4060TI", 8, 22.0, None),
    Card("4060TI", 16, 22.0, None),
    Card("4070", 12, 29.0, None),
    Card("4080", 16, 48.7, 97.5),
    Card("4090", 24, 82.6, 165.2),
    Card("A4000", 16, 19.2, 76.7),
    Card("A5000", 24, 27.8, 111.1),
    Card("A6000", 48, 38.7, 154.8),
    Card("L4", 24, 30.3, 121.0),
    Card("L40S", 48, 91.6, 362.0),
    Card("A100", 40, 19.5, 312.0),
    Card("A100", 80, 19.5, 312.0),
    Card("H100", 80, 67.0, 989.5),
    Card("H200", 141, 67.0, 989.5),
)
_OF_NAME: Mapping[str, tuple[Card, ...]] = {
    name: tuple(card for card in CARDS if card.name == name) for name in dict.fromkeys(card.name for card in CARDS)
}


def cards_named(text: str) -> tuple[Card, ...]:
    """The card that a person names, in all its sizes: `RTX 4090`, `a100`, `A100 40GB`. Raises UnknownCard, and BadQuery
    for what is no GPU at all."""
    name = require_gpu(text).name
    if name not in _OF_NAME:
        raise UnknownCard(f"the figures of {name} are not in the table; there are {', '.join(_OF_NAME)}, and cpu")
    found = _OF_NAME[name]
    exact = tuple(card for card in found if f"{card.memory}GB" in text.upper().replace(" ", ""))
    return exact or found
