"""docs/walks.md as its tests read it, and which functions of a walk a play calls, in what order."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, reduce
from pathlib import Path
from types import FunctionType
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "walks.md"
MOST_STOPS, MOST_RETURNS = 12, 2


def walks() -> dict[str, list[str]]:
    """The stops of each walk as `path/to/file.py:name`, by the walk's heading."""
    sections = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    found = {title: re.findall(r"^\| \d+ \| `([^`]+)` \|", text, re.MULTILINE) for title, text in _pairs(sections[1:])}
    return {title: stops for title, stops in found.items() if stops}


def returns(stops: list[str]) -> int:
    """How often a walk enters a file that it has left before."""
    files = [stop.partition(":")[0] for stop in stops]
    entered = [file for file, before in zip(files, ["", *files[:-1]], strict=True) if file != before]
    return len(entered) - len(set(entered))


@contextmanager
def followed(stops: Collection[str]) -> Iterator[list[str]]:
    """The stops as they are called within the block, in any thread, in the order of the calls."""
    calls: list[str] = []
    with ExitStack() as stack:
        for place, stop in enumerate(stops):
            stack.callback(_tell(_function(stop), f"_walk_stop_{place}", partial(calls.append, stop)))
        yield calls


def check_order(stops: list[str], calls: list[str]) -> None:
    """From the first call of the first stop on, each stop is called first after the one before it was."""
    assert stops[0] in calls, f"{stops[0]} was never called"
    walked = calls[calls.index(stops[0]) :]
    missing = [stop for stop in stops if stop not in walked]
    assert missing == [], f"never called: {missing}"
    found = sorted(stops, key=walked.index)
    assert found == stops, "\n".join(["called in the order:", *found])


def _function(stop: str) -> FunctionType:
    path, _, name = stop.partition(":")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    found = reduce(lambda holder, part: vars(holder)[part], name.split("."), module)
    assert isinstance(found, FunctionType), f"{stop} is no plain function"
    assert found.__closure__ is None, f"{stop} has a closure"
    return found


def _tell(function: FunctionType, name: str, note: Callable[[], None]) -> Callable[[], None]:
    """Have a function call `note` first; returns what undoes it.

    The code of the function is exchanged, not a name in a module: tables and other modules hold the function itself. A
    profile of all calls would find them too, and makes a play four times as long.
    """
    code, known = function.__code__, function.__globals__
    original = FunctionType(code, known, function.__name__, function.__defaults__)
    original.__kwdefaults__ = function.__kwdefaults__

    def told(*arguments: Any, **named: Any) -> Any:
        note()
        return original(*arguments, **named)

    def undo() -> None:
        function.__code__ = code
        del known[name]

    known[name] = told
    function.__code__ = _forward.__code__.replace(co_names=(name,))
    return undo


def _forward(*arguments: Any, **named: Any) -> Any:
    return _told(*arguments, **named)  # type: ignore[name-defined]  # noqa: F821 - `_tell` puts another name there


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    return zip(parts[::2], parts[1::2], strict=True)
