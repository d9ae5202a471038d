"""`VerifierRegistry`: staked verifiers and the epoch roots that k of them signed. Stakes in wei."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from enum import IntEnum

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain import contract_at
from contracts.messages import AppealRuling, EpochRoot, VerifierFault


class EpochStatus(IntEnum):
    """Where an epoch stands on the chain."""

    NONE = 0
    PROPOSED = 1
    DISPUTED = 2
    FINAL = 3


@dataclass(frozen=True, slots=True)
class EpochState:
    """An epoch as the chain has it; `closes_at` in Unix seconds, `total` in 1e-18 tokens."""

    status: EpochStatus
    attempt: int
    closes_at: int
    challenger: str
    root: bytes
    total: int
    count: int
    log_size: int
    log_root: bytes


class VerifierRegistry:
    """The registry at `address`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: str) -> None:
        self.w3, self.address = w3, address
        contract = contract_at(w3, "VerifierRegistry", address)
        self._call, self._events = contract.functions, contract.events

    def verifiers(self) -> list[str]:
        """Admitted verifiers."""
        return [str(v) for v in self._call.verifiers().call()]

    def ever_admitted(self) -> frozenset[str]:
        """Everybody who is or was a verifier: what was signed then still holds."""
        found = self._events.VerifierAdmitted.get_logs(from_block=0)
        return frozenset(str(event["args"]["verifier"]) for event in found)

    def least_threshold(self) -> int:
        """The smallest k that was ever in force: older decisions were made under it."""
        return min(int(event["args"]["threshold"]) for event in self._events.ThresholdSet.get_logs(from_block=0))

    def stake_of(self, verifier: str) -> int:
        """Stake in wei."""
        return int(self._call.stakeOf(verifier).call())

    def threshold(self) -> int:
        """k of k-of-n."""
        return int(self._call.threshold().call())

    def min_stake(self) -> int:
        """Stake in wei below which a signature does not count."""
        return int(self._call.minStake().call())

    def bond(self) -> int:
        """Wei that a challenge must carry."""
        return int(self._call.bond().call())

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
        """Dispute a root (send with the bond as value)."""
        return self._call.challenge(epoch)

    def resolve(self, epoch: int, upheld: bool) -> ContractFunction:
        """Decide a dispute (timelock)."""
        return self._call.resolve(epoch, upheld)

    def finalize(self, epoch: int) -> ContractFunction:
        """Make a root final after its window."""
        return self._call.finalize(epoch)

    def hash_fault(self, fault: VerifierFault) -> bytes:
        """The digest that the contract has verifiers sign."""
        return bytes(self._call.hashVerifierFault(astuple(fault)).call())

    def hash_ruling(self, ruling: AppealRuling) -> bytes:
        """The digest that the contract has verifiers sign."""
        return bytes(self._call.hashAppealRuling(astuple(ruling)).call())

    def punish(self, fault: VerifierFault, signatures: Mapping[str, bytes]) -> ContractFunction:
        """Take stake from a verifier on the word of k others."""
        return self._call.punish(astuple(fault), in_signer_order(signatures))

    def open_appeal(self, proof: bytes) -> ContractFunction:
        """Appeal against the voiding of a proof (send with the bond as value)."""
        return self._call.openAppeal(proof)

    def decide_appeal(self, ruling: AppealRuling, signatures: Mapping[str, bytes]) -> ContractFunction:
        """Decide an appeal on the word of k verifiers other than the respondent."""
        return self._call.decideAppeal(astuple(ruling), in_signer_order(signatures))

    def admit(self, verifier: str) -> ContractFunction:
        """Admit a verifier (timelock)."""
        return self._call.admit(to_checksum_address(verifier))

    def remove(self, verifier: str) -> ContractFunction:
        """Remove a verifier (timelock)."""
        return self._call.remove(to_checksum_address(verifier))


def in_signer_order(signatures: Mapping[str, bytes]) -> list[bytes]:
    """Signatures by signer address, in the order that the contract wants."""
    return [signatures[a] for a in sorted(signatures, key=lambda a: int(a, 16))]
