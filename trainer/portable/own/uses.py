"""What the operations of one step leave behind: factors of the weights' gradients, by weight and use.

A weight may be used more than once in a pass, as tied weights are. Its uses are kept apart and added in their order, so
that a pass in parts, whose uses come in turns, sums the same numbers in the same order as the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.model.own.errors import InvalidModelPackage
from trainer.portable.byte_gemm import Operand, columns
from trainer.portable.own.watch import portable
from trainer.portable.waiting import Waiting, Weights


class Uses:
    """Of the weights of one step, each of which is quantised once for each of its two directions."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.waiting = Waiting()
        self._weights = weights
        self._names = {id(value): name for name, value in weights.items()}
        self._keys: dict[str, str] = {}
        self._passing = Counter[str]()
        self._operands: dict[tuple[str, bool], Operand] = {}

    def begin(self) -> None:
        """The next part of the batch begins to pass."""
        self._passing.clear()

    def use(self, weight: Tensor) -> Use:
        """One use of a weight. Raises InvalidModelPackage for what was computed from one: its gradient would be rounded
        in each part of a batch."""
        name = self._names.get(id(weight))
        if name is None:
            raise InvalidModelPackage(
                f"an operation takes a tensor of {tuple(weight.shape)} as its weight, which is no parameter of the "
                "module: give it the parameter itself"
            )
        key = f"{name} {self._passing[name]:03}"
        self._passing[name] += 1
        self._keys[key] = name
        return Use(self, key)

    def operand(self, key: str, weight: Tensor, forward: bool) -> Operand:
        """A used weight (out, in) as the right operand of a product with rows of (in) or, on the way back, of (out)."""
        place = (self._keys[key], forward)
        if place not in self._operands:
            self._operands[place] = operand(weight, forward)
        return self._operands[place]

    @portable
    @torch.no_grad()
    def gradients(self) -> Weights:
        """Gradient of every weight that was used."""
        parts = self.waiting.gradients({key: self._weights[name] for key, name in self._keys.items()})
        found: Weights = {}
        for key in sorted(parts):
            name = self._keys[key]
            found[name] = found[name].add_(parts[key]) if name in found else parts[key]
        return found


class Use(NamedTuple):
    """One use of a weight in a step."""

    step: Uses
    key: str


_step: ContextVar[Uses | None] = ContextVar("step", default=None)


@contextmanager
def kept_in(uses: Uses) -> Iterator[None]:
    """Within it operations leave the factors of gradients in `uses`."""
    before = _step.set(uses)
    try:
        yield
    finally:
        _step.reset(before)


def used(weight: Tensor) -> Use | None:
    """One use of a weight in this step; None outside of one, where autograd takes its gradient at once."""
    step = _step.get()
    return None if step is None else step.use(weight)


def operand(weight: Tensor, forward: bool) -> Operand:
    """As of `Uses`, quantised now."""
    return columns(weight.mT if forward else weight)
