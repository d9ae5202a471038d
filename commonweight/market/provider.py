"""What a provider of machines is to this market: five calls, each of which may fail in a named way.

A launch is the only call that must not be sent twice. Its error says by `sent` whether it may have had its effect; then
the account's list decides, never another try (commonweight/market/renting/launching.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from commonweight.market.money import NOTHING, MicroUsd
from commonweight.market.offers import Offer, Query
from contracts.process.record import Record


class MachineState(StrEnum):
    """What a provider says of a machine."""

    LOADING = "loading"
    RUNNING = "running"
    ENDING = "ending"
    PREEMPTED = "preempted"
    FAILED = "failed"


@dataclass(frozen=True)
class ProviderFacts:
    """What is known of a provider before any call. `tagged` says whether its list shows the tag of a launch; `kyc`
    whether it asks for identity papers; `pays` which coins and cards it takes; `booked_seconds` what it sells whole;
    `lag_seconds` after how long a launched machine is in its list for certain; `api` the version of its interface that
    the adapter was written against."""

    name: str
    tagged: bool
    kyc: str
    pays: tuple[str, ...]
    api: str
    booked_seconds: int = 1
    lag_seconds: int = 120


@dataclass(frozen=True)
class Bootstrap(Record):
    """What a fresh machine runs: a shell script, as root, once, in a container of `image` or on the machine itself. It
    is no secret to the host. `public_key` is an SSH key that may log in. After `seconds` it is not wanted any more, 0
    where that is not said."""

    script: str
    image: str
    public_key: str = ""
    ports: tuple[int, ...] = ()
    seconds: int = 0


@dataclass(frozen=True)
class Machine(Record):
    """A machine that the account is billed for. `name` is the provider's own; `tag` that of the launch, where the
    provider shows it; `price` in millionths of a dollar per hour for the machine, 0 where it is not said; `started_at`
    in Unix seconds, 0 where it is not said; `reach` how to log in."""

    name: str
    state: MachineState
    tag: str = ""
    gpu: str = ""
    gpus: int = 0
    price: MicroUsd = NOTHING
    started_at: int = 0
    reach: str = ""
    detail: str = ""


_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9A-Fa-f:]{2,39}")


def ssh_to(user: str, host: str, port: str = "") -> str:
    """How to log in by SSH; empty where a provider names no plain host. People run it in their shell, where another
    word would be an option of SSH's, and an option can be a command."""
    if not _HOST.fullmatch(host) or not ((port.isascii() and port.isdecimal()) or not port):
        return ""
    return f"ssh -p {port} {user}@{host}" if port else f"ssh {user}@{host}"


Noted = Callable[[str], None]
"""Takes a machine's name as soon as the provider gave it: a launch of several calls may be cut after the first."""


class Provider(Protocol):
    """One account at one provider. Every call raises ProviderError, and takes a bounded time."""

    @property
    def facts(self) -> ProviderFacts:
        """What is known before any call."""
        ...

    def offers(self, query: Query) -> list[Offer]:
        """What is on offer, whole prices included; rows that cannot be read are left out, and logged."""
        ...

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:
        """Rent it for no more than the offer's price; returns the machine's name. Raises OutOfStock, PriceRose,
        CreditShort and the other ProviderErrors."""
        ...

    def machines(self) -> list[Machine]:
        """All machines that this account is billed for, on all pages of the list."""
        ...

    def terminate(self, machine: str) -> None:
        """End it. A machine that is gone already is ended."""
        ...

    def spent(self, machine: str) -> MicroUsd | None:
        """What the provider has billed for it by now, None where it does not say."""
        ...

    def logs(self, machine: str) -> str:
        """The last lines of its output."""
        ...
