"""`VerifierRegistry`: staked verifiers and the epoch roots that k of them signed. Stakes in wei.

The verifier set at a block, and its k, follow from events: rounds long past can still be judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Any

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.types import EventData

from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.chain.event_table import EventTable
from contracts.errors import BadField
from contracts.evm.log_ranges import Wanted, logs
from contracts.ids import Address, as_address
from contracts.messages.for_contracts import EpochRoot, VerifierFault

SET_EVENTS = ("VerifierAdmitted", "VerifierRemoved", "ThresholdSet")
"""All that changes a VerifierSet; the constructor emits the first ones."""


class EpochStatus(IntEnum):
    """The status of an epoch on the chain."""

    NONE = 0
    PROPOSED = 1
    DISPUTED = 2
    FINAL = 3


@dataclass(frozen=True, slots=True)
class EpochState:
    """An epoch as the chain has it; times in Unix seconds, `total` in 1e-18 tokens.

    `disputes` counts its challenges and numbers the open one; `early` says that too few votes existed to decide it.
    `closes_at` ends the challenge window; rounds that opened before `settled_at` are settled, as was signed.
    """

    status: EpochStatus
    attempt: int
    closes_at: int
    early: bool
    total: int
    challenger: str
    challenged_at: int
    disputes: int
    root: bytes
    count: int
    log_size: int
    settled_at: int
    log_root: bytes
    bond: int = 0


@dataclass(frozen=True, slots=True)
class HeldWei:
    """Wei that wait for their time, a Unix second; `is_accounts`: then they go back, else to the timelock."""

    amount: int
    free_at: int
    is_accounts: bool


@dataclass(frozen=True, slots=True)
class Leaving:
    """The wait of a verifier's stake after `removed_at` (Unix seconds): `epochs` more that are final, or `free_at`,
    which each second of a dispute puts off; and in any case until no root that it signed is open."""

    removed_at: int
    epochs: int
    free_at: int
    signed_open_root: bool


@dataclass(frozen=True, slots=True)
class VerifierSet:
    """The admitted verifiers, staked or not, and k: how many of them it takes."""

    members: frozenset[str]
    threshold: int

    @classmethod
    def after(cls, events: Iterable[tuple[str, Mapping[str, Any]]]) -> VerifierSet:
        """The set after (name, arguments) of SET_EVENTS since the creation. Raises BadField if none set k."""
        members = set[str]()
        threshold = 0
        for name, arguments in events:
            if name == "ThresholdSet":
                threshold = int(arguments["threshold"])
            elif name == "VerifierAdmitted":
                members.add(str(arguments["verifier"]))
            else:
                members.discard(str(arguments["verifier"]))
        if threshold == 0:
            raise BadField("block must not lie before the creation of the VerifierRegistry")
        return cls(frozenset(members), threshold)


class VerifierRegistry:
    """The registry at `address`, its events read from `first_block` on. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address, first_block: int = 0) -> None:
        self.w3 = w3
        self.address = address
        self._contract = contract_at(w3, "VerifierRegistry", address)
        self._call = self._contract.functions
        self._history = EventHistory(self._contract, SET_EVENTS, first_block)

    def verifiers(self) -> list[str]:
        """Admitted verifiers."""
        return [str(v) for v in self._call.verifiers().call()]

    def created(self, before: int, since: int) -> int:
        """Block of the registry's creation, which set the first k, between these two.

        `before` is that of its model's registration, `since` that of the model's first contract. Raises BadField if
        there is no registry by then.
        """
        query = Wanted((self._contract.address,), (EventTable(self._contract, ["ThresholdSet"]).hexes(),))
        for log in logs(self.w3, query, since, before):
            return int(log["blockNumber"])
        raise BadField(f"block must not lie before the creation of the VerifierRegistry, {before} does")

    def set_at(self, block: int) -> VerifierSet:
        """Verifiers and k at the end of `block`. Raises BadField if block or registry did not exist."""
        return VerifierSet.after(_said(event) for event in self._history.until(block))

    def widest_since(self, block: int) -> VerifierSet:
        """Everybody who was admitted at the end of `block` or later, and the least k from then on. Raises BadField."""
        events = self._history.until()
        earlier = sum(event["blockNumber"] <= block for event in events)
        sets = [VerifierSet.after(map(_said, events[:count])) for count in range(earlier, len(events) + 1)]
        return VerifierSet(frozenset().union(*(s.members for s in sets)), min(s.threshold for s in sets))

    def stake_of(self, verifier: Address) -> int:
        """Stake in wei."""
        return int(self._call.stakeOf(verifier).call())

    def threshold(self) -> int:
        """k of k-of-n."""
        return int(self._call.threshold().call())

    def min_stake(self) -> int:
        """Stake in wei below which a signature does not count."""
        return int(self._call.minStake().call())

    def quorum(self, signatures: Mapping[str, bytes], accused: str = "") -> dict[str, bytes]:
        """k of these signatures, by signer, that the chain would count: admitted, with enough stake, and not those of
        the `accused`, which the registry refuses as a judge of its own case; else none."""
        threshold = self.threshold()
        if len(signatures) < threshold:
            return {}
        admitted = self.verifiers()
        least = self.min_stake()
        eligible = [name for name in sorted(signatures) if name in admitted and name.lower() != accused.lower()]
        counting = [name for name in eligible if self.stake_of(as_address(name)) >= least]
        return {name: signatures[name] for name in counting[:threshold]} if len(counting) >= threshold else {}

    def bond(self) -> int:
        """Wei that the first challenge of an epoch must carry."""
        return int(self._call.bond().call())

    def bond_now(self) -> int:
        """Wei that a challenge must carry now."""
        return int(self._call.bondNow().call())

    def dispute_limit(self) -> int:
        """Seconds after which a dispute that nobody decided lapses."""
        return int(self._call.disputeLimit().call())

    def challenge_window(self) -> int:
        """Seconds."""
        return int(self._call.challengeWindow().call())

    def finalized_epochs(self) -> int:
        """The last final epoch, 0 before the first."""
        return int(self._call.finalizedEpochs().call())

    def epoch_of(self, epoch: int) -> EpochState:
        """One epoch's state."""
        status, *rest = self._call.epochOf(epoch).call()
        return EpochState(EpochStatus(status), *rest)

    def is_final(self, epoch: int) -> bool:
        """Whether the epoch can be claimed from."""
        return bool(self._call.isFinal(epoch).call())

    def stake(self) -> ContractFunction:
        """Add to the sender's stake (send with value)."""
        return self._call.stake()

    def unstake(self) -> ContractFunction:
        """Pay the sender its stake, while no root that it signed is open: once two epochs are final in which all rounds
        are settled that opened before its removal, or after the delay of nodes' withdrawals."""
        return self._call.unstake()

    def propose(self, root: EpochRoot, signatures: Mapping[str, bytes]) -> ContractFunction:
        """Propose a root; `signatures` by signer address, put in the order that the contract wants."""
        return self.propose_raw(root, in_signer_order(signatures))

    def propose_raw(self, root: EpochRoot, signatures: list[bytes]) -> ContractFunction:
        """Propose a root with signatures as they stand."""
        return self._call.propose(astuple(root), signatures)

    def hash_epoch_root(self, root: EpochRoot) -> bytes:
        """The digest that the contract has verifiers sign."""
        return bytes(self._call.hashEpochRoot(astuple(root)).call())

    def challenge(self, epoch: int) -> ContractFunction:
        """Dispute a root (send with `bond_now` as value)."""
        return self._call.challenge(epoch)

    def resolve(self, epoch: int, root: bytes, challenged_at: int, upheld: bool) -> ContractFunction:
        """Decide the dispute about an epoch's 32-byte root that was opened at a Unix second (timelock)."""
        return self._call.resolve(epoch, root, challenged_at, upheld)

    def lapse(self, epoch: int) -> ContractFunction:
        """End a dispute that nobody decided in time: another attempt is due, and the bond goes to the timelock, or is
        held for its challenger where nobody could decide."""
        return self._call.lapse(epoch)

    def finalize(self, epoch: int) -> ContractFunction:
        """Make a root final after its window."""
        return self._call.finalize(epoch)

    def hash_fault(self, fault: VerifierFault) -> bytes:
        """The digest that the contract has verifiers sign."""
        return bytes(self._call.hashVerifierFault(astuple(fault)).call())

    def punish(self, fault: VerifierFault, signatures: Mapping[str, bytes]) -> ContractFunction:
        """Take stake from a verifier on the word of k others."""
        return self._call.punish(astuple(fault), in_signer_order(signatures))

    def held_of(self, ground: bytes, account: Address) -> HeldWei:
        """Money that was taken from an account on a ground of 32 bytes, and waits for the holders."""
        return HeldWei(*self._call.heldOf(ground, to_checksum_address(account)).call())

    def ground_of(self, epoch: int, dispute: int) -> bytes:
        """The ground on which the bond of an early dispute is held."""
        return bytes(self._call.groundOf(epoch, dispute).call())

    def note_votes(self) -> ContractFunction:
        """Note that votes enough for a decision exist, where they do: held money waits from then on."""
        return self._call.noteVotes()

    def pay_held(self, ground: bytes, account: Address) -> ContractFunction:
        """Pay held money to its receiver by default, once it is free."""
        return self._call.payHeld(ground, to_checksum_address(account))

    def decide_held(self, ground: bytes, account: Address, back: bool) -> ContractFunction:
        """Decide whether the account gets held money back (timelock)."""
        return self._call.decideHeld(ground, to_checksum_address(account), back)

    def resign(self) -> ContractFunction:
        """Give up the sender's own seat; its stake is free as after a removal."""
        return self._call.resign()

    def leaving(self, verifier: Address) -> Leaving:
        """The wait of a verifier that gave up its seat, or lost it; zeros for an account that never had one."""
        name = to_checksum_address(verifier)
        removed = int(self._call.removedAt(name).call())
        settled = (int(self._call.lastSettled().call()), int(self._call.secondSettled().call()))
        disputed = int(self._call.disputedSeconds().call()) - int(self._call.disputedAtRemoval(name).call())
        open_ = self.epoch_of(self.finalized_epochs() + 1)
        if open_.status is EpochStatus.DISPUTED:
            disputed += int(self.w3.eth.get_block("latest")["timestamp"]) - open_.challenged_at
        free = removed + int(self._call.nodeWithdrawalDelay().call()) + max(0, disputed)
        has_signed = name in self._call.signersOf(self.finalized_epochs() + 1).call()
        return Leaving(removed, sum(second <= removed for second in settled), free if removed else 0, bool(has_signed))

    def max_epoch_total(self) -> int:
        """The most that a proposed epoch may pay, in 1e-18 tokens."""
        return int(self._call.maxEpochTotal().call())

    def owed(self, account: Address) -> int:
        """Wei of payments that `account` did not take."""
        return int(self._call.owed(to_checksum_address(account)).call())

    def withdraw(self) -> ContractFunction:
        """Pay the sender all that it is owed."""
        return self._call.withdraw()

    def set_max_epoch_total(self, total: int) -> ContractFunction:
        """Set the most that an epoch may pay (timelock)."""
        return self._call.setMaxEpochTotal(total)

    def set_threshold(self, threshold: int) -> ContractFunction:
        """Set k (timelock)."""
        return self._call.setThreshold(threshold)

    def admit(self, verifier: Address) -> ContractFunction:
        """Admit a verifier (timelock)."""
        return self._call.admit(to_checksum_address(verifier))

    def remove(self, verifier: Address) -> ContractFunction:
        """Remove a verifier (timelock)."""
        return self._call.remove(to_checksum_address(verifier))


def _said(event: EventData) -> tuple[str, Mapping[str, Any]]:
    return event["event"], event["args"]


def in_signer_order(signatures: Mapping[str, bytes]) -> list[bytes]:
    """Signatures by signer address, in the order that the contract wants."""
    return [signatures[a] for a in sorted(signatures, key=lambda a: int(a, 16))]
