"""The weights under one prefix of their names, as the layers of a step use them, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from torch import Tensor

from trainer.portable.byte_gemm import Operand, columns, product, rows
from trainer.portable.functions import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward
from trainer.portable.waiting import Waiting, Weights

Backward = Callable[[Tensor], Tensor]
"""Gradient of a branch's output to that of its input."""
Branch = Callable[[Tensor], tuple[Tensor, Backward]]
"""Rows (R, in) to rows (R, out), and the way back."""


@dataclass(frozen=True)
class Scope:
    """Weights by the rest of their names, without `.weight`; what their gradients come of goes to `waiting`.

    Each is quantised once a step for each of its two directions: `operands` keeps that.
    """

    theta: Weights
    waiting: Waiting
    prefix: str = ""
    operands: dict[tuple[str, bool], Operand] = field(default_factory=dict)

    def under(self, prefix: str) -> Scope:
        """The weights further down."""
        return replace(self, prefix=self.prefix + prefix)

    def name(self, name: str) -> str:
        """In full."""
        return f"{self.prefix}{name}.weight"

    def weight(self, name: str) -> Tensor:
        """The tensor."""
        return self.theta[self.name(name)]

    def linear(self, name: str, x: Operand) -> Tensor:
        """`rows` of x (R, in) to (R, out)."""
        return product(x, self._operand(name, forward=True))

    def linear_backward(self, name: str, gradient: Tensor, x: Tensor, slices: int = 1) -> Tensor:
        """The gradient of `linear`'s x; that of its weight waits."""
        self.waiting.product(self.name(name), gradient, x, slices)
        return product(rows(gradient, slices), self._operand(name, forward=False))

    def layer_norm(self, name: str, x: Tensor) -> tuple[Tensor, Backward]:
        """x (R, D) centred, normed and scaled."""
        gain = self.weight(name)
        y, saved = layer_norm(x, gain)
        return y, lambda gradient: self._shared(name, *layer_norm_backward(gradient, gain, saved))

    def rms_norm(self, name: str, x: Tensor, epsilon: float) -> tuple[Tensor, Backward]:
        """x (R, D) normed and scaled."""
        gain = self.weight(name)
        y, saved = rms_norm(x, gain, epsilon)
        return y, lambda gradient: self._shared(name, *rms_norm_backward(gradient, gain, saved))

    def _operand(self, name: str, forward: bool) -> Operand:
        key = (self.name(name), forward)
        if key not in self.operands:
            weight = self.weight(name)  # (out, in)
            self.operands[key] = columns(weight.mT if forward else weight)
        return self.operands[key]

    def _shared(self, name: str, gradient: Tensor, shares: Tensor) -> Tensor:
        """The gradient; the shares of the gain's gradient wait."""
        self.waiting.share(self.name(name), shares)
        return gradient
