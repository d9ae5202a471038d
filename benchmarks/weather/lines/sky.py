"""What is over each line now. Gusts come and go from the bench's thread, and are looked at from the relay's."""

from __future__ import annotations

from collections import Counter

from benchmarks.weather.lines.gusts import Gust


class Sky:
    """Gusts by line. `met` counts by kind how often one was met: a request that it was over, or a connection."""

    def __init__(self) -> None:
        self._over: dict[str, tuple[Gust, ...]] = {}
        self.met: Counter[str] = Counter()

    def begin(self, gust: Gust) -> None:
        """It is over its line from now on; of several the newest counts."""
        self._over = {**self._over, gust.where: (*self._over.get(gust.where, ()), gust)}

    def end(self, gust: Gust) -> None:
        """It is gone."""
        left = tuple(other for other in self._over.get(gust.where, ()) if other != gust)
        rest = {where: gusts for where, gusts in self._over.items() if where != gust.where}
        self._over = {**rest, gust.where: left} if left else rest

    def over(self, line: str) -> Gust | None:
        """The gust over a line."""
        gusts = self._over.get(line)
        return gusts[-1] if gusts else None

    def is_over(self, gust: Gust) -> bool:
        """Whether it has not gone yet."""
        return gust in self._over.get(gust.where, ())

    def troubles(self, server: str) -> bool:
        """Whether any line to a server has one."""
        return any(line.endswith(f">{server}") for line in self._over)
