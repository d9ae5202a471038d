"""Every operator that a step computes with, outside of the portable operations, and which of them round alike anywhere.

Exact by itself is what moves numbers or compares them, and whatever has whole numbers and truth values alone. A float32
sum, difference or product of two numbers is rounded once, as IEEE 754 says. All others may differ between machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

P = ParamSpec("P")
R = TypeVar("R")

_MOVES = {
    *("view", "_unsafe_view", "_reshape_alias", "alias", "detach", "clone", "copy_", "_to_copy", "contiguous"),
    *("transpose", "t", "permute", "slice", "select", "split", "split_with_sizes", "unbind", "unsqueeze", "squeeze"),
    *("expand", "cat", "stack", "flip", "tril", "triu", "masked_fill", "where", "slice_backward", "select_backward"),
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "zeros", "zeros_like", "new_zeros"),
    *("zero_", "ones", "ones_like", "full", "full_like", "fill_", "lift_fresh", "constant_pad_nd"),
    *("lt", "gt", "le", "ge", "eq", "ne", "relu", "threshold_backward"),
}
_ROUNDED_ONCE = {"add", "sub", "rsub", "mul", "neg"}
_IN_PLACE = {"add_", "sub_", "mul_", "neg_"}

_inside = 0


def portable(function: Callable[P, R]) -> Callable[P, R]:
    """Marks what computes as the portable profile does: no operator of it is watched."""

    @wraps(function)
    def marked(*args: P.args, **kwargs: P.kwargs) -> R:
        global _inside
        _inside += 1
        try:
            return function(*args, **kwargs)
        finally:
            _inside -= 1

    return marked


@contextmanager
def watched() -> Iterator[set[str]]:
    """The operators within it, forward and backward, that may round otherwise on another machine."""
    found = set[str]()
    with _Watch(found):
        yield found


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, found: set[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found = found

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not _inside and not _rounds_alike(func, (args, kwargs or {}, result)):
            self._found.add(str(func))
        return result


def _rounds_alike(func: Any, operands: tuple[Any, dict[str, Any], Any]) -> bool:
    kinds = {tensor.dtype for tensor in _tensors(operands) if tensor.is_floating_point() or tensor.is_complex()}
    if not kinds:
        return True
    name = func._schema.name.removeprefix("aten::")
    plain = operands[1].get("alpha", 1) == 1  # x + alpha * y may be fused
    if name in _IN_PLACE and torch.is_grad_enabled():  # on the way back autograd adds in place; a model that did so
        return False  # would change what the operations keep for it
    return kinds == {torch.float32} and plain and name in _MOVES | _ROUNDED_ONCE | _IN_PLACE


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
