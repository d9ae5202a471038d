"""Clocks of single processes, by libfaketime before the C library: the product reads the machine's own and has no knob.

Only the calendar jumps: the monotonic clock goes on, as it does where NTP or a person sets the time.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


def library() -> Path | None:
    """The library that the wheel `libfaketime` carries; without it no clock jumps."""
    wheel = find_spec("libfaketime")
    found = Path(str(wheel.origin)).parent / _LIBRARY if wheel else None
    return found if found is not None and found.is_file() else None


def environment(file: Path) -> dict[str, str]:
    """Of a process whose time follows a file."""
    found = library()
    if found is None:
        return {}
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def turn(file: Path, hours: float) -> None:
    """Off by so many hours from now on; 0 is right."""
    scratch = file.with_suffix(".new")
    scratch.write_text(f"{hours:+g}h\n" if hours else "+0\n")
    scratch.replace(file)
