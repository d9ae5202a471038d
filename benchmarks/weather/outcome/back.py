"""Whether a party is back in its work: it stands on a block of the chain that came after the weather turned good.

Server and keeper, once such a block is in the log. A verifier, once its mirror shows a head under its own name that
covers the block: it has read the log, and compared it with its own chain. A node, once its machine has taken it: k
verifiers' heads have reached it.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from benchmarks.weather.network import KEEPER, SERVER, VERIFIERS, Network
from contracts.tlog.mirror import origin_hash

ASK_SECONDS = 5.0


@dataclass
class Calm:
    """One spell of good weather, from `since` (monotonic) and `turned` (Unix time) on; `back` are seconds by party."""

    network: Network
    size: int
    since: float = field(default_factory=time.monotonic)
    turned: float = field(default_factory=time.time)
    target: int = 0
    back: dict[str, float] = field(default_factory=dict)

    def look(self) -> bool:
        """Note who is back now; returns whether all are."""
        if not self.target:
            self.target = block_since(self.network, self.size, self.turned)
            if not self.target:
                return False
            self._is_back(KEEPER)
        with ThreadPoolExecutor(len(self.network.parties)) as asking:  # who is slow makes nobody else late
            list(asking.map(self._ask, self.missing()))
        return not self.missing()

    def _ask(self, name: str) -> None:
        with suppress(OSError, ValueError, IndexError, httpx.HTTPError):
            if self._stands(name) >= self.target:
                self._is_back(name)

    def missing(self) -> list[str]:
        """Who is not back yet."""
        return [name for name in self.network.parties if name not in self.back]

    def _is_back(self, name: str) -> None:
        self.back[name] = round(time.monotonic() - self.since, 1)

    def _stands(self, name: str) -> int:
        """Entries that a party has."""
        place = self.network.place
        if name == SERVER:
            return _head(f"{place.api}/log/checkpoint")
        if name in VERIFIERS:
            return _head(f"{place.mirrors[name]}/{origin_hash(place.deployment.log_key().name)}/checkpoint")
        return int(json.loads((self.network.folder / name / "log" / "covered").read_bytes())[0])


def log_size(network: Network) -> int:
    """Entries in the database."""
    return int(_ask(network, "SELECT count(*) FROM logentry")[0][0])


def block_since(network: Network, size: int, turned: float) -> int:
    """Entries up to the first block from then on that is in the log behind `size`; 0 where there is none."""
    rows = _ask(network, 'SELECT "index", body FROM logentry WHERE "index" >= :size ORDER BY "index"', size=size)
    for index, body in rows:
        entry = json.loads(body)
        if entry["kind"] == "block" and int(entry["time"]) >= turned:
            return int(index) + 1
    return 0


def entries_with(network: Network, part: str) -> list[Any]:
    """Entries of the log, decoded, whose text has a part."""
    rows = _ask(network, 'SELECT body FROM logentry WHERE body LIKE :part ORDER BY "index"', part=f"%{part}%")
    return [json.loads(body) for (body,) in rows]


def _ask(network: Network, statement: str, **values: object) -> list[Any]:
    """Of the database itself, beside the relay."""
    engine = create_engine(network.database)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(statement), values))
    finally:
        engine.dispose()


def _head(url: str) -> int:
    answer = httpx.get(url, timeout=ASK_SECONDS, trust_env=False)
    answer.raise_for_status()
    return int(answer.text.splitlines()[1])
