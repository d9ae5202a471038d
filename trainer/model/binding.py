"""A model whose parameters are the tensors of a training state: bound once, and anew where the state has got others.

A functional call on fresh leaves costs a step a tenth of its time in large models: each step gets other leaves, and
swaps every parameter of every module twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from torch import Tensor, nn

Bound = tuple[tuple[Tensor, ...], list[nn.Parameter]]
_BOUND: WeakKeyDictionary[nn.Module, Bound] = WeakKeyDictionary()


def bind(model: nn.Module, theta: Mapping[str, Tensor]) -> list[nn.Parameter]:
    """The model's parameters in the order of `theta`, each sharing memory with its tensor there.

    A parameter with two names, as tied weights have, stays one. What an optimizer writes into `theta` in place is what
    the model computes with.
    """
    known = _BOUND.get(model)
    if known is None or not _are_same(known[0], theta):
        known = _BOUND[model] = (tuple(theta.values()), _bound_anew(model, theta))
    return known[1]


def _are_same(tensors: tuple[Tensor, ...], theta: Mapping[str, Tensor]) -> bool:
    return len(tensors) == len(theta) and all(a is b for a, b in zip(tensors, theta.values(), strict=True))


def _bound_anew(model: nn.Module, theta: Mapping[str, Tensor]) -> list[nn.Parameter]:
    before = dict(model.named_parameters())
    leaves = {name: nn.Parameter(value.detach()) for name, value in theta.items()}
    replaced = {id(parameter): leaves[name] for name, parameter in before.items()}
    for part in model.modules():
        for name, value in part._parameters.items():
            if value is not None:
                part._parameters[name] = replaced[id(value)]
    return list(leaves.values())
