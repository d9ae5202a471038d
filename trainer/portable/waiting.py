"""What the gradients of weights are summed from: it waits until the whole batch has passed.

So the size of a micro-batch decides memory and nothing else.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from trainer.portable.byte_gemm import Operand, columns, product, rows
from trainer.portable.exact_gemm import exact_scatter, exact_sum

Weights = dict[str, Tensor]


class Waiting:
    """Parts of each weight's gradient, by the weight's name, of the micro-batches that have passed."""

    def __init__(self) -> None:
        self._products: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        self._slices: dict[str, int] = {}
        self._shares: dict[str, list[Tensor]] = defaultdict(list)
        self._looked_up: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def product(self, name: str, gradient: Tensor, x: Tensor, slices: int = 1) -> None:
        """A linear layer's output gradient, of which so many slices count, and its input, (rows, width) each."""
        self._slices[name] = slices
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
        found |= self._of_products()
        for name, pairs in self._looked_up.items():
            tokens, gradient = (_joined(parts) for parts in zip(*pairs, strict=True))
            scattered = exact_scatter(gradient, tokens, len(theta[name]))
            found[name] = found[name].add_(scattered) if name in found else scattered
        return found

    def _of_products(self) -> Weights:
        """Weights that take the same x come one after another, and share its operand."""
        found: Weights = {}
        before: list[Tensor] = []
        right: Operand = []
        for name, pairs in self._products.items():
            gradients, inputs = zip(*pairs, strict=True)
            if not all(map(operator.is_, inputs, before)) or not before:
                right = columns(_joined(inputs))
            before = list(inputs)
            found[name] = product(rows(_joined(gradients).mT, self._slices[name]), right)
        return found


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts))
