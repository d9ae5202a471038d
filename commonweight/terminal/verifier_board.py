"""A verifier's board at a terminal: its proofs, its draws and its findings, as one table that stays in place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from commonweight.terminal.console import visible

ROWS = 16


class LiveBoard:
    """A progress callback of the service that keeps the newest proofs; `render` draws them."""

    def __init__(self, console: Console) -> None:
        self._proofs: dict[str, dict[str, str]] = {}
        self._notes: list[str] = []
        self._segments, self._began = 0, time.monotonic()
        self.live = Live(get_renderable=self.render, console=console, refresh_per_second=2)

    def __call__(self, progress: Any) -> None:
        """Take in one event."""
        if not progress.proof:
            self._notes = [*self._notes, f"{progress.event} {progress.detail}".strip()][-4:]
            return
        row = self._proofs.setdefault(progress.proof, {})
        if progress.event == "drawn":
            row |= {"round": str(progress.round), "node": progress.node, "segments": progress.detail}
        elif progress.event == "verdict":
            row |= {"round": str(progress.round), "node": progress.node, "verdict": progress.detail}
            row |= {"error": f"{progress.error:.3g}", "limit": f"{progress.limit:.3g}"}
            self._segments += progress.segments
        else:
            row["more"] = f"{progress.event}: {progress.detail}"

    def render(self) -> Table:
        """The table of now."""
        rate = self._segments / max(1.0, (time.monotonic() - self._began) / 60)
        caption = f"{self._segments} segments checked, {rate:.1f} a minute   {' · '.join(self._notes)}"
        table = Table(title="Proofs", title_justify="left", caption=Text(visible(caption)), caption_justify="left")
        for column in ("round", "node", "proof", "drawn", "verdict", "error", "limit", "more"):
            table.add_column(column, overflow="fold")
        for proof, row in list(self._proofs.items())[-ROWS:]:
            cells = (
                row.get("round", ""),
                row.get("node", "")[:10],
                f"{proof[:12]}…",
                row.get("segments", ""),
                row.get("verdict", ""),
                row.get("error", ""),
                row.get("limit", ""),
                row.get("more", ""),
            )
            table.add_row(*(Text(visible(cell)) for cell in cells))
        return table


@contextmanager
def showing(report: Any) -> Iterator[None]:
    """Keep the table on the screen, if the report is one."""
    if not isinstance(report, LiveBoard):
        yield
        return
    with report.live:
        yield
