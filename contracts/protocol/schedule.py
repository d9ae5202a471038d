"""The learning rate's share of its peak at a step of a run: warm-up, then constant, cosine, or WSD.

A run's steps are counted over its rounds, `steps` in each. `warmup_steps` rise in a straight line. `cosine`
(Loshchilov & Hutter 2017) falls from there to `final_share` at the run's end, `wsd` (warm-up, stable, decay; Hu et al.
2024) stays at the peak and falls in a straight line over the last `decay_steps`. A vote on `rounds` moves the end.

Everybody has the same bits: whole numbers and decimals of 40 digits, rounded to a float64 once. The C library's cosine
is another one on other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction

from contracts.protocol.run_config import RunConfig

_DIGITS = 40
_PI = Decimal("3.1415926535897932384626433832795028841971693993751")


def rate_share(config: RunConfig, round_number: int, step: int) -> float:
    """Share of `inner_lr`, at most 1, at a step (from 0) of a round (from 1)."""
    number = max(0, round_number - 1) * config.steps + step
    if number < config.warmup_steps:
        return float(Fraction(number + 1, config.warmup_steps))
    return _FALLS[config.schedule](config, number)


def _constant(_config: RunConfig, _number: int) -> float:
    return 1.0


def _cosine(config: RunConfig, number: int) -> float:
    last = Decimal(config.final_share)
    with localcontext(prec=_DIGITS):
        turned = _cos(_PI * _progress(number - config.warmup_steps, _total(config) - config.warmup_steps))
        return float(last + (1 - last) * (1 + turned) / 2)


def _wsd(config: RunConfig, number: int) -> float:
    falls = max(_total(config) - config.decay_steps, config.warmup_steps)
    if number < falls:
        return 1.0
    with localcontext(prec=_DIGITS):
        return float(1 - (1 - Decimal(config.final_share)) * _progress(number - falls, config.decay_steps))


_FALLS: Mapping[str, Callable[[RunConfig, int], float]] = {"constant": _constant, "cosine": _cosine, "wsd": _wsd}


def _total(config: RunConfig) -> int:
    return config.rounds * config.steps


def _progress(number: int, whole: int) -> Decimal:
    """Between 0 and 1, also where a vote has moved the end before the present."""
    return Decimal(min(number, whole)) / Decimal(whole) if whole > 0 else Decimal(1)


def _cos(angle: Decimal) -> Decimal:
    """By its series, for angles from 0 to pi."""
    term = total = Decimal(1)
    power = 0
    while abs(term) > Decimal(10) ** -_DIGITS:
        power += 2
        term *= -angle * angle / (power * (power - 1))
        total += term
    return total
