"""What Akash's rows say of prices: statistics of bids, bids for one's own deployment, and coins per block."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

from commonweight.market.calling.rows import BadRow, as_object, text, whole
from commonweight.market.errors import BadPrice, OutOfStock, PriceRose
from commonweight.market.gpus import gpu_name
from commonweight.market.money import HOUR, MOST_PER_HOUR, NOTHING, MicroUsd, dollars, in_dollars, micro_usd
from commonweight.market.offers import Level, Offer, OfferKind, Price, Query, Security

NAME = "akash"
BLOCK_MS = 6098
"""A block's time as the Console's pages reckon it. Its API reckons 6174: the shorter one makes the dearer hour."""
USD_DENOMS = frozenset({"uact", "ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1"})
"""Millionths of a dollar: ACT, which the chain pegs to the dollar, and USDC. AKT (`uakt`) has a rate of its own, which
nothing here knows."""
MOST_COINS = 10**15
"""Of millionths of a dollar, in one amount: more is a slip."""
SIZES = (1, 2, 4, 8)
CPUS, MEMORY_GB = 4, 24
"""What a deployment asks for with each GPU."""
SECURITY = Security(
    Level.COMMUNITY,
    "anybody may be a provider on Akash; which one bids is known only after a deployment",
    "a container; a provider's host may serve several renters",
)


@dataclass(frozen=True)
class Bid:
    """A provider's bid: what a lease names, and what an hour costs."""

    lease: Mapping[str, str | int]
    hourly: MicroUsd


def offers_of(row: Mapping[str, Any], query: Query) -> Iterator[Offer]:
    """A row's offers: none where no GPU is free, or nobody has bid."""
    available = whole(as_object(row.get("availability"), "availability"), "available")
    if row.get("price") is None:
        return
    price = as_object(row["price"], "price")
    in_dollars(price.get("currency"), "price")
    each = micro_usd(price.get("min"), "price")
    if each == NOTHING:
        raise BadPrice("price is 0, which is no bid")
    kind = [text(row, name, 40) for name in ("vendor", "model", "ram", "interface")]
    if not kind[0] or not kind[1] or any("/" in part for part in kind):
        raise BadRow(f"no GPU of that name: {kind}")
    sizes = [size for size in SIZES if query.least <= size <= query.most] or [query.least]
    for gpus in (size for size in sizes if size <= available):
        yield _offer(kind, gpus, MicroUsd(each * gpus), available // gpus, query.disk_gb)


def _offer(kind: list[str], gpus: int, price: MicroUsd, available: int, disk_gb: int) -> Offer:
    _, model, ram, interface = kind
    memory = re.match(r"(\d+)", ram)
    return Offer(
        provider=NAME,
        name="/".join([*kind, str(gpus)]),
        gpu=gpu_name(model),
        gpus=gpus,
        price=Price(price),
        security=SECURITY,
        seen_at=int(time.time()),
        kind=OfferKind.STATISTICS,
        variant=" ".join(part for part in (ram, interface) if part),
        gpu_memory_gb=int(memory.group(1)) if memory else 0,
        cpus=CPUS * gpus,
        memory_gb=MEMORY_GB * gpus,
        disk_gb=disk_gb,
        available=available,
    )


def bid_of(row: Mapping[str, Any]) -> Bid | None:
    """A bid that can be taken. Raises BadRow or BadPrice for one that is of another currency or cannot be read."""
    bid = as_object(row.get("bid"), "bid")
    if bid.get("state") != "open":
        return None
    who = as_object(bid.get("id"), "id")
    lease: dict[str, str | int] = {"dseq": text(who, "dseq"), "gseq": whole(who, "gseq"), "oseq": whole(who, "oseq")}
    provider = text(who, "provider")
    if not lease["dseq"] or not provider:
        raise BadRow("a bid of nobody")
    return Bid({**lease, "provider": provider}, hourly(as_object(bid.get("price"), "price")))


def cheapest(bids: list[Bid], most: MicroUsd) -> Bid:
    if not bids:
        raise OutOfStock("nobody on Akash bids for this, at this price, in dollars")
    best = min(bids, key=lambda bid: bid.hourly)
    if best.hourly > most:
        raise PriceRose(f"the least bid on Akash is {dollars(best.hourly)} an hour, not {dollars(most)}")
    return best


def hourly(coin: Mapping[str, Any]) -> MicroUsd:
    """A price per block, as a price per hour, rounded up."""
    amount = micros(coin) * (HOUR * 1000) / BLOCK_MS
    if amount > MOST_PER_HOUR:
        raise BadPrice("a price per block is absurd")
    return MicroUsd(int(amount.to_integral_value(ROUND_CEILING)))


def micros(coin: Mapping[str, Any]) -> Decimal:
    """Millionths of a dollar. Raises BadPrice for another currency."""
    denom = coin.get("denom")
    if denom not in USD_DENOMS:
        raise BadPrice(f"an amount is in {repr(denom)[:60]}, and only US dollars are compared here")
    try:
        amount = Decimal(text(coin, "amount"))
    except InvalidOperation:
        raise BadPrice("an amount is no number") from None
    if not amount.is_finite() or not 0 <= amount <= MOST_COINS:
        raise BadPrice("an amount is no price")
    return amount


def ceiling(most: MicroUsd) -> int:
    """The price per block of a price per hour, rounded down: a ceiling is never above what was agreed to."""
    return max(1, most * BLOCK_MS // (HOUR * 1000))
