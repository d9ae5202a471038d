"""A run's held-out loss by round, as its verifiers signed it with each merge, and the picture of it.

The log has no training loss: no commitment says it, and nobody checks it. A node's own curve is in its TensorBoard
folder (`commonweight node --tensorboard`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from statistics import median
from typing import NamedTuple
from xml.sax.saxutils import escape

from contracts.ids import RunId
from contracts.wire.rounds import Round
from contracts.wire.runs import Run
from trainer.client import ApiClient

_SCALE = 1e9
_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 60, 48
_INK, _MUTED, _GRID, _LINE = "#1d2330", "#6b7385", "#e4e7ee", "#0b6e6e"
_TICKS = 6
_DOTS = 60
"""Up to so many rounds each has its dot."""


class RoundLoss(NamedTuple):
    """Nats per token after a round: the median of what verifiers signed, the least and the largest."""

    round: int
    loss: float
    least: float
    largest: float


def losses_of(client: ApiClient, run: RunId) -> Iterator[RoundLoss]:
    """Of every merged round, in their order. Raises ApiProblem and ApiUnreachable."""
    newest = client.read(Run, f"/runs/{run}").round
    for number in range(1, newest + 1):
        merge = client.read(Round, f"/runs/{run}/rounds/{number}").merge
        if merge is not None and merge.held_out_loss:
            signed = sorted(loss / _SCALE for loss in merge.held_out_loss.values())
            yield RoundLoss(number, median(signed), signed[0], signed[-1])


def svg(title: str, points: Sequence[RoundLoss]) -> str:
    """The picture: a line through the medians, the spread behind it, the first and the last value in numbers."""
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 24, title, size=14, colour=_INK),
        *(_drawn(points) if points else [_text(_LEFT, _HEIGHT / 2, "no round is merged yet")]),
        "</svg>",
    ]
    return "\n".join(rows) + "\n"


def _drawn(points: Sequence[RoundLoss]) -> Iterator[str]:
    low, high, values = _ticks(min(p.least for p in points), max(p.largest for p in points))
    first, last = points[0].round, points[-1].round

    def x(number: float) -> float:
        share = (number - first) / (last - first) if last > first else 0.5
        return round(_LEFT + 8 + share * (_WIDTH - _LEFT - _RIGHT - 48), 1)

    def y(loss: float) -> float:
        return round(_TOP + (high - loss) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), 1)

    for value in values:
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value)}" y2="{y(value)}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 8, y(value) + 4, f"{value:g}", anchor="end")
    for number in _rounds(first, last):
        yield _text(x(number), _HEIGHT - _BOTTOM + 20, str(number), anchor="middle")
    yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "round", anchor="middle")
    yield _text(_LEFT, _TOP - 16, "held-out loss, nats per token")
    band = [f"{x(p.round)},{y(p.largest)}" for p in points] + [f"{x(p.round)},{y(p.least)}" for p in reversed(points)]
    yield f'<polygon points="{" ".join(band)}" fill="{_LINE}" fill-opacity="0.15"/>'
    line = " ".join(f"{x(p.round)},{y(p.loss)}" for p in points)
    yield f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2" stroke-linejoin="round"/>'
    for point in points if len(points) <= _DOTS else (points[0], points[-1]):
        said = escape(f"round {point.round}: {point.loss:.4f}")
        yield (
            f'<circle cx="{x(point.round)}" cy="{y(point.loss)}" r="3" fill="{_LINE}"><title>{said}</title></circle>'
        )
    for point in dict.fromkeys((points[0], points[-1])):
        yield _text(x(point.round) + 8, y(point.loss) - 6, f"{point.loss:.4f}", colour=_INK)


def _ticks(least: float, largest: float) -> tuple[float, float, list[float]]:
    """Bounds and lines of a scale in steps of 1, 2 or 5."""
    raw = max(largest - least, 1e-3) / _TICKS
    unit = 10.0 ** floor(log10(raw))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= raw)
    bottom, top = floor(least / step), max(ceil(largest / step), floor(least / step) + 1)
    values = [round(place * step, 9) for place in range(bottom, top + 1)]
    return values[0], values[-1], values


def _rounds(first: int, last: int) -> list[int]:
    """At most a dozen numbers, the first and the last among them."""
    step = max(1, ceil((last - first) / 10))
    inner = [number for number in range(first, last, step) if last - number >= step or number == first]
    return [*inner, last] if last > first else [first]


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12, colour: str = _MUTED) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
