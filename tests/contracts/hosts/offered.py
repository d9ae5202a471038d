"""A supplier, verifiers and a renter of tests, with what they sign."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from eth_account import Account

from contracts.hosts.signed import Model, Signed, signed
from contracts.ids import as_address
from contracts.messages.for_market import HostCall, HostChallenge, HostOffer, HostOrder, MeasuredHost
from contracts.messages.signatures import Domain

NOW = 1_800_000_000
URL = "https://host.example"
MODEL = Model(bytes(range(32)), Domain(31337, "0x" + "11" * 20))
SUPPLIER, OTHER, RENTER, *VERIFIERS = (Account.from_key(bytes([number]) * 32) for number in range(1, 8))
NAMES = tuple(one.address for one in VERIFIERS)


def offer(account: Any = SUPPLIER, place: Model = MODEL, **changes: Any) -> Signed[HostOffer]:
    """An offer of one 4090 for 30 cents an hour."""
    terms: dict[str, Any] = {
        "model": place.model,
        "supplier": as_address(account.address),
        "url": URL,
        "country": "SE",
        "gpu": "4090",
        "gpus": 1,
        "gpuMemory": 24,
        "cpus": 16,
        "memory": 64,
        "disk": 500,
        "price": 300_000,
        "payout": as_address(account.address),
        "contact": "host@example.org",
        "rents": True,
        "issuedAt": NOW,
        "expiresAt": NOW + 3600,
    }
    return signed(HostOffer(**(terms | changes)), place, bytes(account.key))


def report(signer: Any = VERIFIERS[0], about: Any = SUPPLIER, place: Model = MODEL, **changes: Any) -> Any:
    """What a verifier measured."""
    terms: dict[str, Any] = {
        "model": place.model,
        "verifier": as_address(signer.address),
        "supplier": as_address(about.address),
        "url": URL,
        "standard": b"s" * 32,
        "profile": b"p" * 32,
        "seed": b"d" * 32,
        "tokens": 1_000_000,
        "memory": 2**30,
        "received": 10**7,
        "sent": 10**7,
        "measuredAt": NOW,
    }
    return signed(MeasuredHost(**(terms | changes)), place, bytes(signer.key))


def challenge(signer: Any = VERIFIERS[0], place: Model = MODEL, **changes: Any) -> Signed[HostChallenge]:
    """The begin of a measurement."""
    terms: dict[str, Any] = {
        "model": place.model,
        "verifier": as_address(signer.address),
        "supplier": as_address(SUPPLIER.address),
        "url": URL,
        "seed": b"d" * 32,
        "profile": "portable",
        "memory": 2**20,
        "traffic": 2**16,
        "issuedAt": NOW,
    }
    return signed(HostChallenge(**(terms | changes)), place, bytes(signer.key))


def order(text: bytes, signer: Any = RENTER, place: Model = MODEL, **changes: Any) -> Signed[HostOrder]:
    """An order for an hour."""
    terms: dict[str, Any] = {
        "model": place.model,
        "supplier": as_address(SUPPLIER.address),
        "url": URL,
        "renter": as_address(signer.address),
        "tag": "cw-1-1",
        "script": sha256(text).digest(),
        "price": 300_000,
        "issuedAt": NOW,
        "endsAt": NOW + 3600,
    }
    return signed(HostOrder(**(terms | changes)), place, bytes(signer.key))


def call(number: int, tag: str = "-", signer: Any = RENTER, place: Model = MODEL, **changes: Any) -> Signed[HostCall]:
    """A renter's other call."""
    terms: dict[str, Any] = {
        "model": place.model,
        "supplier": as_address(SUPPLIER.address),
        "url": URL,
        "renter": as_address(signer.address),
        "call": number,
        "tag": tag,
        "issuedAt": NOW,
    }
    return signed(HostCall(**(terms | changes)), place, bytes(signer.key))
