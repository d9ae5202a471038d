"""The operations of a portable model of one's own: their bits, forward and backward, depend on IEEE 754 alone.

A model package imports them (`from trainer.portable.operations import linear`) and is else made of what moves numbers
(views, transposes, cat, slices, where), of float32 sums, differences and products of two numbers, and of relu. In a
portable run what a step computes beside that is refused. A weight is a parameter of the module itself. In a step its
gradient waits until the whole batch has passed; elsewhere autograd has it at once.

Shapes: B batch, T time, D width, V vocabulary, K width of a head; ... any axes before.
"""

from __future__ import annotations

from torch import Tensor

from trainer.portable.attention import future
from trainer.portable.own import kernels, losses
from trainer.portable.own.kernels import computed
from trainer.portable.own.uses import used

__all__ = [
    "attention",
    "bias",
    "cross_entropy",
    "embedding",
    "gelu",
    "layer_norm",
    "linear",
    "matmul",
    "rms_norm",
    "rotary",
    "scale",
    "silu",
    "softmax",
    "total",
]


def linear(x: Tensor, weight: Tensor, fine: bool = False) -> Tensor:
    """x (..., in) times the transposed weight (out, in): (..., out). `fine` is for the output layer, whose gradient has
    one large entry in a row: it is cut into two slices."""
    return computed(kernels.linear(2 if fine else 1, used(weight)), x, weight)


def embedding(tokens: Tensor, weight: Tensor) -> Tensor:
    """Rows of the weight (V, D) that tokens (...) look up: (..., D)."""
    return computed(kernels.embedding(used(weight)), tokens, weight)


def bias(x: Tensor, weight: Tensor) -> Tensor:
    """x plus a weight of the shape of x's last axes: a bias (D), or positions (T, D)."""
    return computed(kernels.bias(used(weight)), x, weight)


def scale(x: Tensor, weight: Tensor) -> Tensor:
    """x times a weight of the shape of x's last axes."""
    return computed(kernels.scale(used(weight)), x, weight)


def rms_norm(x: Tensor, gain: Tensor, epsilon: float = 1e-5) -> Tensor:
    """x (..., D) over the root of its mean square, times the gain (D)."""
    return computed(kernels.rms_norm(epsilon, used(gain)), x, gain)


def layer_norm(x: Tensor, gain: Tensor) -> Tensor:
    """x (..., D) less its mean, over its deviation, times the gain (D), with an epsilon of 1e-5."""
    return computed(kernels.layer_norm(used(gain)), x, gain)


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form."""
    return computed(kernels.gelu, x)


def silu(x: Tensor) -> Tensor:
    """x times the logistic function of x."""
    return computed(kernels.silu, x)


def softmax(x: Tensor) -> Tensor:
    """Probabilities along the last axis."""
    return computed(kernels.softmax, x)


def matmul(left: Tensor, right: Tensor) -> Tensor:
    """left (..., m, k) times right (..., k, n), with the same axes before: products of what was computed, none of
    weights. Contractions beyond 1,024 are added in order."""
    return computed(kernels.matmul, left, right)


def attention(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Queries (B, H, T, K) over keys and values (B, G, T, K): (B, H, T, K). G divides H, and each head of keys is for
    H / G heads of queries, one after another. `hidden`, bool (T, T) or (B, T, T), says which positions (the last axis)
    a query does not look at; without it, the later ones."""
    out = future(q.shape[2], q.device) if hidden is None else hidden
    return computed(kernels.attention(out if out.dim() == 2 else out[:, None, None]), q, k, v)


def rotary(x: Tensor, base: int = 10_000) -> Tensor:
    """x (..., T, K), K even, with its pairs (i, i + K / 2) turned by their positions (RoFormer)."""
    return computed(kernels.rotary(base), x)


def cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """The sum, in nats, over the targets (...) that count, of logits (..., V); `mask` (...) is bool. With `smoothing`
    that share of each target is spread over all tokens evenly (Szegedy et al. 2016)."""
    return computed(losses.cross_entropy(targets, mask, smoothing), logits)


def total(x: Tensor) -> Tensor:
    """The sum of all entries, for a term of a loss; its number is of this part of the batch."""
    return computed(losses.total, x)
