"""What the gradients of weights are summed from: it waits until the whole batch has passed.

So the size of a micro-batch decides memory and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from trainer.portable.exact_gemm import exact_matmul, exact_scatter, exact_sum

Weights = dict[str, Tensor]


class Waiting:
    """Parts of each weight's gradient, by the weight's name, of the micro-batches that have passed."""

    def __init__(self) -> None:
        self._products: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        self._shares: dict[str, list[Tensor]] = defaultdict(list)
        self._looked_up: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def product(self, name: str, gradient: Tensor, x: Tensor) -> None:
        """A linear layer's output gradient and input, (rows, width) each."""
        self._products[name].append((gradient, x))

    def share(self, name: str, shares: Tensor) -> None:
        """Shares of a gradient, to be summed over the first axis."""
        self._shares[name].append(shares)

    def looked_up(self, name: str, tokens: Tensor, gradient: Tensor) -> None:
        """The gradient (rows, width) of what `tokens` (rows,) looked up in an embedding."""
        self._looked_up[name].append((tokens, gradient))

    def gradients(self, theta: Weights) -> Weights:
        """Gradient of every weight in `theta`."""
        found = {name: exact_sum(_joined(parts), 0).float() for name, parts in self._shares.items()}
        found = {name: value.view(theta[name].shape) for name, value in found.items()}
        for name, pairs in self._products.items():
            gradient, x = (_joined(parts) for parts in zip(*pairs, strict=True))
            found[name] = exact_matmul(gradient.mT, x)
        for name, pairs in self._looked_up.items():
            tokens, gradient = (_joined(parts) for parts in zip(*pairs, strict=True))
            scattered = exact_scatter(gradient, tokens, len(theta[name]))
            found[name] = found[name].add_(scattered) if name in found else scattered
        return found


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts))
