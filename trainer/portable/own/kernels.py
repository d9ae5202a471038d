"""What the portable operations compute, forward and, in what each returns beside its result, on the way back.

The gradient of a weight is None where it waits in a step: no float32 sum over parts of a batch is taken of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from trainer.portable import attention as heads
from trainer.portable import functions, tables
from trainer.portable.byte_gemm import Operand, product, rows
from trainer.portable.byte_gemm import columns as right_operand
from trainer.portable.exact_gemm import exact_matmul, exact_scatter, exact_sum
from trainer.portable.own.uses import Use, operand
from trainer.portable.own.watch import portable
from trainer.portable.rotary import turned, turns

Back = Callable[[Tensor], tuple[Tensor | None, ...]]
"""The gradient of a result to those of all tensors that it was computed from."""
Kernel = Callable[..., tuple[Tensor, Back]]
"""Tensors to a result and its way back, which holds no result: that would be a circle."""


def computed(kernel: Kernel, *inputs: Tensor) -> Tensor:
    """The kernel's result for these tensors, as a function of autograd."""
    return _Computed.apply(kernel, *inputs)  # type: ignore[no-any-return, no-untyped-call]


class _Computed(Function):
    @staticmethod
    @portable
    def forward(ctx: Any, kernel: Kernel, *inputs: Tensor) -> Tensor:
        result, ctx.back = kernel(*(value.detach() for value in inputs))  # what waits keeps no graph alive
        return result

    @staticmethod
    @portable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return None, *ctx.back(gradients[0])


def linear(slices: int, use: Use | None) -> Kernel:
    """x (..., in), weight (out, in) -> (..., out)."""

    def kernel(x: Tensor, weight: Tensor) -> tuple[Tensor, Back]:
        flat = _flat(x)

        def back(gradient: Tensor) -> tuple[Tensor | None, ...]:
            gradient = _flat(gradient)
            of_x = product(rows(gradient, slices), _operand(weight, use, forward=False)).view(x.shape)
            if use is None:
                return of_x, product(rows(gradient.mT, slices), right_operand(flat))
            use.step.waiting.product(use.key, gradient, flat, slices)
            return of_x, None

        return product(rows(flat), _operand(weight, use, forward=True)).view(*x.shape[:-1], len(weight)), back

    return kernel


def embedding(use: Use | None) -> Kernel:
    """tokens (...), weight (V, D) -> (..., D)."""

    def kernel(tokens: Tensor, weight: Tensor) -> tuple[Tensor, Back]:
        def back(gradient: Tensor) -> tuple[Tensor | None, ...]:
            places, gradient = tokens.flatten(), _flat(gradient)
            if use is None:
                return None, exact_scatter(gradient, places, len(weight))
            use.step.waiting.looked_up(use.key, places, gradient)
            return None, None

        return weight[tokens], back

    return kernel


def bias(use: Use | None) -> Kernel:
    """x (..., S), weight (S) of any number of axes -> (..., S)."""

    def kernel(x: Tensor, weight: Tensor) -> tuple[Tensor, Back]:
        _require_last(x, weight)
        return x + weight, lambda gradient: (gradient, _shared(use, gradient, weight.shape))

    return kernel


def scale(use: Use | None) -> Kernel:
    """x (..., S), weight (S) of any number of axes -> (..., S)."""

    def kernel(x: Tensor, weight: Tensor) -> tuple[Tensor, Back]:
        _require_last(x, weight)
        return x * weight, lambda gradient: (gradient * weight, _shared(use, gradient * x, weight.shape))

    return kernel


def rms_norm(epsilon: float, use: Use | None) -> Kernel:
    """x (..., D), gain (D) -> (..., D)."""

    def kernel(x: Tensor, gain: Tensor) -> tuple[Tensor, Back]:
        y, saved = functions.rms_norm(_flat(x), gain, epsilon)

        def back(gradient: Tensor) -> tuple[Tensor | None, ...]:
            of_x, shares = functions.rms_norm_backward(_flat(gradient), gain, saved)
            return of_x.view(x.shape), _shared(use, shares, gain.shape)

        return y.view(x.shape), back

    return kernel


def layer_norm(use: Use | None) -> Kernel:
    """x (..., D), gain (D) -> (..., D)."""

    def kernel(x: Tensor, gain: Tensor) -> tuple[Tensor, Back]:
        y, saved = functions.layer_norm(_flat(x), gain)

        def back(gradient: Tensor) -> tuple[Tensor | None, ...]:
            of_x, shares = functions.layer_norm_backward(_flat(gradient), gain, saved)
            return of_x.view(x.shape), _shared(use, shares, gain.shape)

        return y.view(x.shape), back

    return kernel


def gelu(x: Tensor) -> tuple[Tensor, Back]:
    """Of each entry."""
    places = tables.gelu_places(x)
    return tables.gelu(x, places), lambda gradient: (tables.gelu_slope(places).mul_(gradient),)


def silu(x: Tensor) -> tuple[Tensor, Back]:
    """Of each entry."""
    places = tables.silu_places(x)
    return tables.silu(x, places), lambda gradient: (tables.silu_slope(places).mul_(gradient),)


def softmax(x: Tensor) -> tuple[Tensor, Back]:
    """Along the last axis."""
    result, _ = functions.softmax(x)
    p = result.detach()

    def back(gradient: Tensor) -> tuple[Tensor | None, ...]:
        along = gradient * p
        return (along.sub_(p * exact_sum(along, -1).float()),)

    return result, back


def matmul(left: Tensor, right: Tensor) -> tuple[Tensor, Back]:
    """left (..., m, k), right (..., k, n) -> (..., m, n)."""
    if left.shape[:-2] != right.shape[:-2]:
        raise ValueError(f"matmul of {tuple(left.shape)} and {tuple(right.shape)}: their first axes differ")
    back: Back = lambda gradient: (exact_matmul(gradient, right.mT), exact_matmul(left.mT, gradient))  # noqa: E731
    return exact_matmul(left, right), back


def attention(hidden: Tensor) -> Kernel:
    """q (B, H, T, K), k and v (B, G, T, K) -> (B, H, T, K); `hidden` as trainer/portable/attention.py has it."""

    def kernel(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Back]:
        grouped = q.reshape(*k.shape[:2], -1, k.shape[-1])  # (B, G, N * T, K)
        y, saved = heads.attention(grouped, k.contiguous(), v.contiguous(), hidden)

        def back(gradient: Tensor) -> tuple[Tensor | None, ...]:
            of_q, of_k, of_v = heads.attention_backward(gradient.reshape(grouped.shape), saved)
            return of_q.view(q.shape), of_k, of_v

        return y.view(q.shape), back

    return kernel


def rotary(base: int) -> Kernel:
    """x (..., T, K) -> (..., T, K)."""

    def kernel(x: Tensor) -> tuple[Tensor, Back]:
        cos, sin = turns(x.shape[-2], x.shape[-1], base, x.device)
        return turned(x, cos, sin), lambda gradient: (turned(gradient, cos, -sin),)

    return kernel


def _flat(x: Tensor) -> Tensor:
    """(..., D) -> (R, D)."""
    return x.reshape(-1, x.shape[-1])


def _operand(weight: Tensor, use: Use | None, forward: bool) -> Operand:
    return operand(weight, forward) if use is None else use.step.operand(use.key, weight, forward)


def _shared(use: Use | None, shares: Tensor, shape: torch.Size) -> Tensor | None:
    """The sum of the shares (..., S) of the gradient of a weight (S): at once, or it waits."""
    parts = shares.reshape(-1, *shape)
    if use is None:
        return exact_sum(parts, 0).float().view(shape)
    use.step.waiting.share(use.key, parts)
    return None


def _require_last(x: Tensor, weight: Tensor) -> None:
    if weight.dim() >= x.dim() or x.shape[x.dim() - weight.dim() :] != weight.shape:
        raise ValueError(f"a weight of {tuple(weight.shape)} is not of the last axes of {tuple(x.shape)}")
