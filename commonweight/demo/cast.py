"""The actors of the demo: names, keys that follow from the seed, and keystores for their processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_utils import keccak

from commonweight.keystore import write_keystore
from contracts.ids import Address, as_address

PASSPHRASE = "throwaway keys of a demo on this machine"  # noqa: S105 - the demo's keys guard nothing
HONEST = ("ada", "ben", "dee")
CHEAT = "cal"
JOINER = "dee"
KILLED = "ben"
NODES = ("ada", "ben", "cal", "dee")
VERIFIERS = ("vera", "vito", "viki")
SERVICES = ("creator", "operator")
CHEAT_NAME = "skip-middle"
FAST_KDF_ROUNDS = 1


@dataclass(frozen=True)
class Cast:
    """Keystores in one folder; a node `ada` is paid to the wallet `ada-wallet`, a key of its own."""

    seed: int
    folder: Path

    def key(self, name: str) -> bytes:
        """32 bytes from seed and name, so that training repeats bit for bit."""
        return keccak(text=f"commonweight demo {self.seed} {name}")

    def address(self, name: str) -> str:
        """Checksum address."""
        return str(Account.from_key(self.key(name)).address)

    def keystore(self, name: str) -> Path:
        """The file with the key."""
        return self.folder / f"{name}.json"

    def prepare(self) -> None:
        """Write all keystores."""
        for name in (*NODES, *VERIFIERS, *SERVICES, *(wallet(as_address(node)) for node in NODES)):
            write_keystore(self.keystore(name), self.key(name), PASSPHRASE, FAST_KDF_ROUNDS)

    def name_of(self, address: Address) -> str:
        """The node, wallet or verifier behind an address."""
        everyone = (*NODES, *VERIFIERS, *(wallet(as_address(node)) for node in NODES))
        return next((n for n in everyone if self.address(n).lower() == address.lower()), address)


def wallet(node: Address) -> str:
    """Name of a node's payout wallet."""
    return f"{node}-wallet"
