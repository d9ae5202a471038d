"""The signed messages of the market for suppliers (EIP-712 structs): neither contracts nor the log read them.

They are claims that end: an offer at `expiresAt`, an order and a call minutes after they were signed. Each names the
host's public address, so that a copy is worth nothing at another one. Times are Unix seconds, prices millionths of a US
dollar per hour, of one GPU (of the machine where it has none). Which of them are held to what is in contracts/hosts/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from contracts.messages.fields import Address, Bytes32, Text, Uint8, Uint16, Uint32, Uint64
from contracts.messages.for_contracts import Message

Flag = Annotated[bool, "bool"]
NOTHING = "-"
"""A text that says nothing: a message's text cannot be empty."""


@dataclass(frozen=True)
class HostOffer(Message):
    """A supplier says what it has, and where its host answers. All of it is its own word.

    `country` is an ISO 3166 code, `gpu` a kind (`-` for none), `gpus` their number; memory and disk are in gigabytes,
    `gpuMemory` of one GPU. `payout` is where the supplier is paid, `contact` how it is reached (`-` for not at all).
    `rents` says that the host runs scripts of renters whom it allows.
    """

    model: Bytes32
    supplier: Address
    url: Text
    country: Text
    gpu: Text
    gpus: Uint16
    gpuMemory: Uint32
    cpus: Uint16
    memory: Uint32
    disk: Uint32
    price: Uint64
    payout: Address
    contact: Text
    rents: Flag
    issuedAt: Uint64
    expiresAt: Uint64


@dataclass(frozen=True)
class HostChallenge(Message):
    """A verifier begins to measure a host. From `seed` follow the standard segment and the buffer of memory; `profile`
    names the arithmetic; `memory` and `traffic` are the bytes that the verifier may ask to be held, and to be sent each
    way."""

    model: Bytes32
    verifier: Address
    supplier: Address
    url: Text
    seed: Bytes32
    profile: Text
    memory: Uint64
    traffic: Uint64
    issuedAt: Uint64


@dataclass(frozen=True)
class MeasuredHost(Message):
    """What a verifier measured at a host, from where the verifier is.

    `standard` is the digest of the standard segment's configuration, `profile` that of the numerics profile under which
    its bits were the verifier's own; `tokens` a second in thousandths. `memory` are bytes that were held at one time;
    `received` and `sent` bytes a second that the host took and gave.
    """

    model: Bytes32
    verifier: Address
    supplier: Address
    url: Text
    standard: Bytes32
    profile: Bytes32
    seed: Bytes32
    tokens: Uint64
    memory: Uint64
    received: Uint64
    sent: Uint64
    measuredAt: Uint64


@dataclass(frozen=True)
class HostOrder(Message):
    """A renter asks a host to run a script (SHA-256 `script`) until `endsAt`. The `tag` names the machine: the same
    order sent again starts nothing. `price` is the most that the renter agrees to, as the offer counts it."""

    model: Bytes32
    supplier: Address
    url: Text
    renter: Address
    tag: Text
    script: Bytes32
    price: Uint64
    issuedAt: Uint64
    endsAt: Uint64


@dataclass(frozen=True)
class HostCall(Message):
    """A renter's other calls: 1 its machines, 2 the end of the machine `tag`, 3 the last lines of its output."""

    model: Bytes32
    supplier: Address
    url: Text
    renter: Address
    call: Uint8
    tag: Text
    issuedAt: Uint64


MARKET: tuple[type[Message], ...] = (HostOffer, HostChallenge, MeasuredHost, HostOrder, HostCall)
"""All messages of the market for suppliers."""
