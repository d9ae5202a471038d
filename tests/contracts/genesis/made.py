"""How contracts may have been made, and what those who join may be told of it: none of it may pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from web3 import Web3

from contracts.chain.deployment import Deployment
from contracts.genesis.params import Arguments
from contracts.ids import NO_ADDRESS, as_address
from tests.contracts.genesis.maker import Tampered, Town


def _argument(place: int, value: Callable[[Town, Arguments], Any]) -> Callable[[Town, Arguments], Arguments]:
    return lambda town, a: (*a[:place], value(town, a), *a[place + 1 :])


def _wrong(contract: str, place: int, value: Callable[[Town, Arguments], Any], *also: str) -> tuple[str, Tampered]:
    """One argument of a constructor is another one."""
    said = "|".join((f"{contract} was made with", *also))
    return said, Tampered(arguments={contract: _argument(place, value)})


def _decoy(town: Town, arguments: Arguments) -> str:
    del town, arguments
    return DECOY


def _flip(place: int) -> Callable[[bytes], bytes]:
    """Another byte at a place that no execution of the constructor reaches."""
    return lambda code: code[:place] + bytes([code[place] ^ 1]) + code[place + 1 :]


def _prelude(runtime: bytes) -> bytes:
    """Init code that writes a slot of its own and returns this code: what an address shows is all ours."""
    start = bytes.fromhex("600160005561") + len(runtime).to_bytes(2) + bytes.fromhex("8061")
    return start + (18).to_bytes(2) + bytes.fromhex("6000396000f3") + runtime


def _written_before(town: Town, d: Deployment) -> Deployment:
    """The distributor's code at an address whose storage somebody wrote first."""
    address, creation = town.raw(_prelude(bytes(town.w3.eth.get_code(Web3.to_checksum_address(d.distributor)))))
    assert town.w3.eth.get_code(Web3.to_checksum_address(address)) == town.w3.eth.get_code(
        Web3.to_checksum_address(d.distributor)
    )
    found = list(d.creations)
    found[4] = creation
    return replace(d, creations=tuple(found))


DECOY = as_address("0x00000000000000000000000000000000DeaDBeef")
MADE: dict[str, tuple[str, Tampered]] = {
    **{
        f"other code in {name}": ("was made by other code", Tampered(init_code={name: _flip(-60)}))
        for name in ("ModelToken", "ModelTimelock", "VerifierRegistry", "EpochDistributor", "RevenueSplitter")
    },
    "bytes behind the arguments": ("not plain", Tampered(encoded={"RevenueSplitter": lambda e: e + b"\0" * 32})),
    "a splitter of another token": _wrong("RevenueSplitter", 0, lambda t, _: t.other.token),
    "a distributor of another token": _wrong("EpochDistributor", 0, _decoy),
    "a distributor of another registry": _wrong("EpochDistributor", 1, _decoy),
    "a registry of another model": _wrong("VerifierRegistry", 1, lambda _, a: b"m" * 32),
    "a registry whose arbiter is a key": _wrong("VerifierRegistry", 0, _decoy, "holds role"),
    "a registry of another distributor": _wrong("VerifierRegistry", 2, _decoy),
    "a registry that thinks votes exist": _wrong("VerifierRegistry", 4, lambda _, a: (*a[4][:-1], 1)),
    "a pool whose treasury is a key": _wrong("CapitalPool", 1, _decoy, "holds role"),
    "a pool of another token": _wrong("CapitalPool", 0, lambda t, _: t.other.token),
    "a governor of another token": _wrong("ModelGovernor", 1, lambda t, _: t.other.token),
    "a governor of another timelock": _wrong("ModelGovernor", 2, lambda t, _: t.other.timelock),
    "a timelock that a key executes": _wrong("ModelTimelock", 2, lambda _, a: [DECOY], "role"),
    "a timelock that a key proposes to": _wrong("ModelTimelock", 1, lambda _, a: [DECOY], "holds role"),
    "a token whose guardian is another model's timelock": (
        "ModelToken was made with|holds role",
        Tampered(
            arguments={"ModelToken": _argument(4, lambda t, _: t.other.timelock)},
            kept=("ModelToken",),
            bare=True,
        ),
    ),
    "two verifiers only": ("a round needs 3|none could", Tampered(verifiers=lambda seats: seats[:2])),
    "a name that is not shown as it is": ("is no name", Tampered(name="Safe\u202emodel")),
    "a long symbol": ("is no name", Tampered(symbol="S" * 32)),
    "no symbol": ("is no name", Tampered(symbol="")),
}
"""What is said, and how the contracts were made."""


def _swap(town: Town, d: Deployment, one: int = 0, two: int = 1) -> Deployment:
    made = list(d.creations)
    made[one], made[two] = made[two], made[one]
    return replace(d, creations=tuple(made))


def _foreign_pool(town: Town, d: Deployment) -> Deployment:
    other = town.make()
    return replace(d, pool=other.pool, creations=(*d.creations[:-1], other.creations[-1]))


TOLD: dict[str, tuple[str, Tampered]] = {
    "another chain": ("and this is chain", Tampered(told=lambda t, d: replace(d, chain_id=1))),
    "another block": ("does not register", Tampered(told=lambda t, d: replace(d, block=d.block - 1))),
    "a later block": ("is not there yet", Tampered(told=lambda t, d: replace(d, block=d.block + 1_000))),
    "another deployer": ("does not register", Tampered(told=lambda t, d: replace(d, deployer=t.rival.address))),
    "another name": ("the registry has", Tampered(told=lambda t, d: replace(d, name="other"))),
    "another token": ("the registry has", Tampered(told=lambda t, d: replace(d, token=DECOY))),
    "no pool though there is one": (
        "the registry has",
        Tampered(told=lambda t, d: replace(d, pool=NO_ADDRESS, creations=d.creations[:-1])),
    ),
    "another model's pool": ("the registry has", Tampered(told=_foreign_pool)),
    "a registration of other contracts": (
        "the registry has",
        Tampered(entry=lambda d: replace(d, splitter=DECOY)),
    ),
    "no creations": ("creations are named", Tampered(told=lambda t, d: replace(d, creations=()))),
    "one creation too few": ("creations are named", Tampered(told=lambda t, d: replace(d, creations=d.creations[1:]))),
    "creations in another order": ("made 0x", Tampered(told=_swap)),
    "a creation that is none": (
        "no transaction",
        Tampered(told=lambda t, d: replace(d, creations=("0x" + "ab" * 32, *d.creations[1:]))),
    ),
    "a creation that is no hash": (
        "no transaction",
        Tampered(told=lambda t, d: replace(d, creations=("a token", *d.creations[1:]))),
    ),
    "our code over storage of another's": ("made 0x|other code", Tampered(told=_written_before)),
    "a call for a creation": ("makes no contract", Tampered(told=lambda t, d: _call_for_creation(t, d))),
}
"""What is said, and what those who join are told."""


def _call_for_creation(town: Town, d: Deployment) -> Deployment:
    sent = town.w3.eth.get_block(d.block)["transactions"][0]
    return replace(d, creations=(sent.to_0x_hex(), *d.creations[1:]))  # type: ignore[union-attr]
