"""What a mutant is, how it takes the place of the machine, and how long it lasts."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from tests.adversary.invariants import Broken, Earnings, check_all
from tests.adversary.sim import simulate

JUDGE = "contracts.protocol.judge"
RULES = f"{JUDGE}.rules"
EARNED = 25
"""I7 is asked after so many histories."""


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in `module`; with `new` in its place the rule is gone.

    `breaks` are the invariants that say so (or an exception of the machine or the simulator, by its name), `strategies`
    those that show it, `seeds` where histories begin that show it soon; within `most` it has to fall from anywhere.
    """

    rule: str
    module: str
    old: str
    new: str
    breaks: tuple[str, ...]
    strategies: tuple[str, ...]
    seeds: int = 1
    most: int = 400


@contextmanager
def installed(mutant: Mutant) -> Iterator[None]:
    """The machine without the rule, while it lasts. Raises LookupError where the text is not there once."""
    place = RULES if find_spec(f"{RULES}.{mutant.module}") else JUDGE
    module = importlib.import_module(f"{place}.{mutant.module}")
    assert module.__file__ is not None
    source = Path(module.__file__).read_text()
    if source.count(mutant.old) != 1:
        raise LookupError(f"{mutant.module} has {source.count(mutant.old)} times {mutant.old!r}")
    changed: dict[str, Any] = {**module.__dict__}
    exec(compile(source.replace(mutant.old, mutant.new), module.__file__, "exec"), changed)
    kept = _swap_code(module, changed)
    try:
        yield
    finally:
        for function, code in kept:
            function.__code__ = code


def _swap_code(module: ModuleType, changed: dict[str, Any]) -> list[tuple[FunctionType, Any]]:
    """Give every function of the module its new code: whoever imported one calls the mutant."""
    kept = []
    for function, mutant in _functions(module, changed):
        if function.__code__ != mutant.__code__:
            kept.append((function, function.__code__))
            function.__code__ = mutant.__code__
    return kept


def _functions(module: ModuleType, changed: dict[str, Any]) -> Iterator[tuple[FunctionType, FunctionType]]:
    """Functions of the module and of its classes, with those that take their place."""
    ours = {name: found for name, found in vars(module).items() if getattr(found, "__module__", "") == module.__name__}
    for name, found in ours.items():
        if isinstance(found, FunctionType):
            yield found, changed[name]
        elif isinstance(found, type):
            methods = {key: method for key, method in vars(found).items() if isinstance(method, FunctionType)}
            yield from ((method, vars(changed[name])[key]) for key, method in methods.items())


def histories_until(mutant: Mutant, start: int, most: int) -> tuple[int, str]:
    """How many histories it took from a seed on, and which invariant broke; (0, "") where none did."""
    earnings = Earnings()
    with installed(mutant):
        for count in range(1, most + 1):
            strategy = mutant.strategies[count % len(mutant.strategies)]
            try:
                check_all(simulate(start + count - 1, strategy), earnings)
                if count % EARNED == 0:
                    earnings.check()
            except Broken as error:
                return count, error.invariant
            except Exception as error:
                return count, type(error).__name__
    return 0, ""
