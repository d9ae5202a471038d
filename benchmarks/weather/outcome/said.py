"""What the processes printed: lines of rule 1 (weather begun, going on, over), events of the work, and all others."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

WEATHER = frozenset({"weather", "waiting", "trouble", "unreachable", "reached"})
"""Events about a party that does not answer."""
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+|:\d+|[0-9a-f]{12,}")
_OUTAGE = re.compile(r".* (does not answer: .*|has not answered for .*); trying again|.* answers again, after .*")
"""As contracts/process/outage.py says it, for processes that print no events."""
SHOWN = 5


@dataclass
class Said:
    """Of one process, over all its lives. `others` are lines that are no event of it, by their shape."""

    lines: int = 0
    events: Counter[str] = field(default_factory=Counter)
    weather: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)

    def body(self) -> dict[str, object]:
        """For the result: steps aside, which are most lines of a node."""
        events = {event: times for event, times in self.events.items() if event != "step"}
        return {
            "lines": self.lines - self.events["step"],
            "events": events,
            "weather": dict(self.weather.most_common(SHOWN)),
            "others": sum(self.others.values()),
            "examples": [line for line, _ in self.others.most_common(SHOWN)],
        }


def said_by(logs: Mapping[str, Path]) -> dict[str, Said]:
    """By process."""
    return {name: _read(path) for name, path in logs.items()}


def _read(path: Path) -> Said:
    found = Said()
    for line in path.read_text(errors="replace").splitlines():
        if not line.strip():
            continue
        found.lines += 1
        event = _event(line)
        if event is None and _OUTAGE.fullmatch(line):
            event = "weather", line
        if event is None:
            found.others[_VARYING.sub("#", line)[:160]] += 1
            continue
        name, detail = event
        found.events[name] += 1
        if name in WEATHER:
            found.weather[_VARYING.sub("#", detail)[:160]] += 1
    return found


def _event(line: str) -> tuple[str, str] | None:
    try:
        body = json.loads(line)
        return str(body["event"]), str(body.get("detail", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
