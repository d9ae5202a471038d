"""A run's held-out loss by round, as its verifiers signed it with each merge, and the picture of it.

The log has no training loss: no commitment says it, and nobody checks it. A node keeps its own in its folder, which the
picture can have beside the signed one, named as what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
_INK, _MUTED, _GRID, _LINE, _OWN = "#1d2330", "#6b7385", "#e4e7ee", "#0b6e6e", "#c27a2c"
_TICKS = 6
_DOTS = 60
"""Up to so many rounds each has its dot."""
_MOST_OWN = 1_000
"""Points of an own curve that are drawn; of more, means of neighbours."""
HELD_OUT = "held-out loss, nats per token"
OWN = "this node's training loss: its own word, unverified"


class RoundLoss(NamedTuple):
    """Nats per token after a round: the median of what verifiers signed, the least and the largest."""

    round: int
    loss: float
    least: float
    largest: float


Own = Sequence[tuple[float, float]]
"""Places in rounds (1.5 is the middle of round 2), and losses there in nats per token."""


def losses_of(client: ApiClient, run: RunId) -> Iterator[RoundLoss]:
    """Of every merged round, in their order. Raises ApiProblem and ApiUnreachable."""
    newest = client.read(Run, f"/runs/{run}").round
    for number in range(1, newest + 1):
        merge = client.read(Round, f"/runs/{run}/rounds/{number}").merge
        if merge is not None and merge.held_out_loss:
            signed = sorted(loss / _SCALE for loss in merge.held_out_loss.values())
            yield RoundLoss(number, median(signed), signed[0], signed[-1])


def svg(title: str, points: Sequence[RoundLoss], own: Own = ()) -> str:
    """The picture: a line through the medians, the spread behind it, the first and the last value in numbers; behind
    all of it the node's own losses."""
    own = _thinned(own)
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 24, title, size=14, colour=_INK),
        *(_drawn(points, own) if points or own else [_text(_LEFT, _HEIGHT / 2, "no round is merged yet")]),
        "</svg>",
    ]
    return "\n".join(rows) + "\n"


@dataclass(frozen=True)
class _Frame:
    """From rounds and losses to places in the picture."""

    first: float
    last: float
    low: float
    high: float

    def x(self, place: float) -> float:
        share = (place - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        return round(_LEFT + 8 + share * (_WIDTH - _LEFT - _RIGHT - 48), 1)

    def y(self, loss: float) -> float:
        return round(_TOP + (self.high - loss) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _drawn(points: Sequence[RoundLoss], own: Own) -> Iterator[str]:
    losses = [loss for _, loss in own]
    places = [*(float(point.round) for point in points), *(place for place, _ in own)]
    low, high, values = _ticks(min([*losses, *(p.least for p in points)]), max([*losses, *(p.largest for p in points)]))
    first = floor(min(places))
    frame = _Frame(first, max(places), low, high)
    for value in values:
        y = frame.y(value)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 8, y + 4, f"{value:g}", anchor="end")
    for number in _rounds(first, floor(frame.last)):
        yield _text(frame.x(number), _HEIGHT - _BOTTOM + 20, str(number), anchor="middle")
    yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "round", anchor="middle")
    yield from _legend(bool(own))
    if own:
        line = " ".join(f"{frame.x(place)},{frame.y(loss)}" for place, loss in own)
        yield _path(line, _OWN, 'stroke-width="1.2" stroke-opacity="0.85" class="own"')
    if points:
        yield from _signed(points, frame)


def _legend(has_own: bool) -> Iterator[str]:
    """Words alone for one line; a stroke of its colour before each of two."""
    y = _TOP - 16
    if not has_own:
        yield _text(_LEFT, y, HELD_OUT)
        return
    for x, text, colour in ((_LEFT, HELD_OUT, _LINE), (_LEFT + 216, OWN, _OWN)):
        yield f'<line x1="{x}" x2="{x + 16}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="2.5"/>'
        yield _text(x + 22, y, text)


def _signed(points: Sequence[RoundLoss], frame: _Frame) -> Iterator[str]:
    x, y = frame.x, frame.y
    band = [f"{x(p.round)},{y(p.largest)}" for p in points] + [f"{x(p.round)},{y(p.least)}" for p in reversed(points)]
    yield f'<polygon points="{" ".join(band)}" fill="{_LINE}" fill-opacity="0.15"/>'
    yield _path(" ".join(f"{x(p.round)},{y(p.loss)}" for p in points), _LINE, 'stroke-width="2" class="signed"')
    for point in points if len(points) <= _DOTS else (points[0], points[-1]):
        said = escape(f"round {point.round}: {point.loss:.4f}")
        yield (
            f'<circle cx="{x(point.round)}" cy="{y(point.loss)}" r="3" fill="{_LINE}"><title>{said}</title></circle>'
        )
    for point in dict.fromkeys((points[0], points[-1])):
        anchor, beside = ("end", 16) if point is points[-1] else ("start", 8)
        place = x(point.round) + beside, y(point.loss) - 10
        yield _text(*place, f"{point.loss:.4f}", anchor, colour=_INK, halo=True)


def _thinned(own: Own) -> Own:
    """At most `_MOST_OWN` points: means of neighbours."""
    size = ceil(len(own) / _MOST_OWN)
    groups = [own[start : start + size] for start in range(0, len(own), max(size, 1))]
    return [(sum(p for p, _ in group) / len(group), sum(v for _, v in group) / len(group)) for group in groups]


def _path(line: str, colour: str, more: str) -> str:
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-linejoin="round" {more}/>'


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


def _text(
    x: float, y: float, text: str, anchor: str = "start", size: int = 12, colour: str = _MUTED, halo: bool = False
) -> str:
    """With a `halo` it can be read over lines."""
    more = ' stroke="#fff" stroke-width="3" stroke-opacity="0.85" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{more}>{escape(text)}</text>'
    )
