"""US dollars as whole millionths: every price is read exactly, and no float has a part in it."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import NewType

from commonweight.market.errors import BadPrice

MicroUsd = NewType("MicroUsd", int)
"""Millionths of a US dollar."""
NOTHING = MicroUsd(0)
USD = 1_000_000
HOUR = 3600
"""Seconds."""
MOST_PER_HOUR = MicroUsd(10_000 * USD)
"""Nobody rents one machine for more: such a price is a slip, of a unit or of a digit."""


def micro_usd(value: object, what: str, most: int = MOST_PER_HOUR) -> MicroUsd:
    """A number of dollars, as JSON or a person gives it, rounded up to a millionth. Raises BadPrice."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise BadPrice(f"{what} is not a number: {_shown(value)}")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise BadPrice(f"{what} is not an amount of dollars: {_shown(value)}") from None
    if not amount.is_finite() or amount < 0:
        raise BadPrice(f"{what} is not a price: {_shown(value)}")
    if amount > Decimal(most) / USD:  # a product of huge numbers would be an error of its own
        raise BadPrice(f"{what} is too high: {_shown(value)} dollars; check the unit")
    return MicroUsd(int((amount * USD).to_integral_value(ROUND_CEILING)))


def in_dollars(currency: object, what: str) -> None:
    """Raises BadPrice for a price in another currency: nothing here knows its rate."""
    if str(currency).lower() not in ("usd", "us$", "$"):
        raise BadPrice(f"{what} is in {_shown(currency)}, and only US dollars are compared here")


def for_seconds(hourly: int, seconds: int) -> MicroUsd:
    """What so many seconds cost, rounded up."""
    return MicroUsd(-(-hourly * seconds // HOUR))


def dollars(amount: int, places: int = 2) -> str:
    """For people: rounded up, so that nothing looks cheaper than it is."""
    step = 10 ** (6 - places)
    return f"${Decimal(-(-amount // step)).scaleb(-places):,.{places}f}"


def _shown(value: object) -> str:
    return repr(value)[:60]
