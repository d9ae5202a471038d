"""What is written down of a rental, one event after another; what the rental is follows from them.

intended ── sent ──▶ named ── running ──▶ to-end ── ended
    │         │ └── refused, certainly without effect
    │         └──── never-seen: no answer, and nothing came into the account's list in time
    └── refused (before the call)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from commonweight.market.money import MicroUsd
from commonweight.market.offers import Offer
from contracts.ids import Address
from contracts.process.record import Record


@dataclass(frozen=True)
class Intended(Record):
    """A machine is wanted: of this offer, for this fleet, for these node keys. `before` are the machines that the
    account had, where the provider's list shows no tags."""

    kind: ClassVar[str] = "intended"
    offer: Offer
    fleet: str
    nodes: tuple[Address, ...] = ()
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent(Record):
    """The call that rents it goes out after this: from here on it may be billed."""

    kind: ClassVar[str] = "sent"


@dataclass(frozen=True)
class Refused(Record):
    """The call had no effect, for certain."""

    kind: ClassVar[str] = "refused"
    code: str
    detail: str


@dataclass(frozen=True)
class NeverSeen(Record):
    """The call's fate was unknown, and the account's list did not show its machine in time."""

    kind: ClassVar[str] = "never-seen"


@dataclass(frozen=True)
class Named(Record):
    """The provider's name of the machine."""

    kind: ClassVar[str] = "named"
    machine: str


@dataclass(frozen=True)
class Running(Record):
    """The machine is up; `price` per hour as the provider bills it now, `reach` how to log in."""

    kind: ClassVar[str] = "running"
    price: MicroUsd
    reach: str = ""


@dataclass(frozen=True)
class Priced(Record):
    """What the provider bills an hour, where the machine is not up: dearer than was known."""

    kind: ClassVar[str] = "priced"
    price: MicroUsd


@dataclass(frozen=True)
class Proved(Record):
    """A proof of one of its nodes was posted, the first one."""

    kind: ClassVar[str] = "proved"
    proof: str


@dataclass(frozen=True)
class ToEnd(Record):
    """It is to be ended, and why: at once, or after the fleet's drain, in which its nodes answer what they owe."""

    kind: ClassVar[str] = "to-end"
    reason: str
    drains: bool = False


@dataclass(frozen=True)
class Ended(Record):
    """The account's list shows it no more."""

    kind: ClassVar[str] = "ended"


@dataclass(frozen=True)
class Billed(Record):
    """What the provider has billed for it by now."""

    kind: ClassVar[str] = "billed"
    amount: MicroUsd


Event: TypeAlias = Intended | Sent | Refused | NeverSeen | Named | Running | Priced | Proved | ToEnd | Ended | Billed
KINDS: dict[str, type[Event]] = {
    kind.kind: kind
    for kind in (Intended, Sent, Refused, NeverSeen, Named, Running, Priced, Proved, ToEnd, Ended, Billed)
}
