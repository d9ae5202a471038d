"""`ModelGovernor`: proposals and votes of a model's holders. Times in Unix seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from eth_abi.abi import decode, encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.types import EventData

from contracts.bindings.own_domain import TypedMessage, typed_data
from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.errors import BadField
from contracts.ids import Address, from_hex, to_hex

_PROPOSAL = [
    ("proposer", "address"),
    ("actionsHash", "bytes32"),
    ("descriptionHash", "bytes32"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
]
PROPOSER_MARK = "#proposer="
_BALLOT = [("proposalId", "uint256"), ("support", "uint8"), ("voter", "address"), ("nonce", "uint256")]


class ProposalState(IntEnum):
    """OpenZeppelin's proposal states."""

    PENDING = 0
    ACTIVE = 1
    CANCELED = 2
    DEFEATED = 3
    SUCCEEDED = 4
    QUEUED = 5
    EXPIRED = 6
    EXECUTED = 7


@dataclass(frozen=True, slots=True)
class Action:
    """One call that the timelock would make; `value` in wei."""

    target: str
    data: bytes
    value: int = 0

    @classmethod
    def of(cls, call: ContractFunction) -> Action:
        """The action that makes `call`."""
        encoded = call._encode_transaction_data()
        return cls(str(call.address), from_hex(encoded))


@dataclass(frozen=True, slots=True)
class Ballot:
    """A signed vote: support 0 against, 1 for, 2 abstain."""

    proposal_id: int
    support: int
    voter: Address
    signature: bytes


@dataclass(frozen=True, slots=True)
class Objection:
    """One holder's objection to a passed proposal, weighed at a second; `total` is of all so far at that second."""

    holder: str
    second: int
    weight: int
    total: int


def description_of(text: str, proposer: str) -> str:
    """The text with its proposer's mark, which the Governor (OpenZeppelin 5) honours: nobody else can propose it.

    A proposal's id does not name its proposer. Without the mark, anybody who sees one on its way can propose it first
    and cancel it as its proposer may, and the id is spent.
    """
    return f"{text}{PROPOSER_MARK}{Web3.to_checksum_address(proposer)}"


def proposal_id_of(actions: Sequence[Action], digest: bytes) -> int:
    """The id of these calls under a description of this 32-byte keccak256 (OpenZeppelin's `hashProposal`), of no chain.

    It names neither chain nor governor nor proposer.
    """
    return int.from_bytes(
        keccak(encode(["address[]", "uint256[]", "bytes[]", "bytes32"], [*_columns(actions), digest]))
    )


class ModelGovernor:
    """The governor at `address`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address) -> None:
        self.w3 = w3
        self.address = address
        self._call = contract_at(w3, "ModelGovernor", address).functions

    def state(self, proposal_id: int, block: int | None = None) -> ProposalState:
        """The state of a proposal, now or at the end of a block."""
        return ProposalState(self._call.state(proposal_id).call(block_identifier=block))

    def final_state(self, proposal_id: int) -> ProposalState:
        """The state of a proposal at the newest final block, which must have it."""
        return ProposalState(self._call.state(proposal_id).call(block_identifier="finalized"))

    def proposal_id(self, actions: Sequence[Action], description: str) -> int:
        """The id that a proposal has or would have."""
        return int(self._call.hashProposal(*_columns(actions), keccak(text=description)).call())

    def snapshot(self, proposal_id: int) -> int:
        """The second at which votes are weighed."""
        return int(self._call.proposalSnapshot(proposal_id).call())

    def deadline(self, proposal_id: int) -> int:
        """The second at which voting ends."""
        return int(self._call.proposalDeadline(proposal_id).call())

    def eta(self, proposal_id: int) -> int:
        """The second from which a queued proposal can be executed, 0 before it is queued."""
        return int(self._call.proposalEta(proposal_id).call())

    def votes(self, proposal_id: int, block: int | None = None) -> tuple[int, int, int]:
        """Votes against, for, abstaining, at the end of a block (None: the newest)."""
        against, in_favour, abstain = self._call.proposalVotes(proposal_id).call(block_identifier=block)
        return int(against), int(in_favour), int(abstain)

    def quorum(self, timestamp: int) -> int:
        """Votes needed at a past second: the share of the supply, at least the floor."""
        return int(self._call.quorum(timestamp).call())

    def quorum_floor(self) -> int:
        """Votes that any decision needs at least."""
        return int(self._call.quorumFloor().call())

    def grace(self) -> int:
        """Seconds in which a passed proposal can be queued, and a queued one can be executed."""
        return int(self._call.grace().call())

    def late_quorum_extension(self) -> int:
        """Seconds for which a vote goes on after a quorum that was reached late."""
        return int(self._call.lateQuorumVoteExtension().call())

    def has_voted(self, proposal_id: int, voter: Address) -> bool:
        """Whether `voter` voted."""
        return bool(self._call.hasVoted(proposal_id, voter).call())

    def proposal_nonce(self, proposer: str) -> int:
        """Nonce of the proposer's next signed proposal."""
        return int(self._call.proposalNonce(proposer).call())

    def ballot_nonce(self, proposal_id: int, voter: Address) -> int:
        """Nonce of the voter's signed ballot on one proposal."""
        return int(self._call.nonces(voter, proposal_id & (2**192 - 1)).call())

    def proposal_typed_data(
        self, proposer: str, actions: Sequence[Action], description: str, deadline: int
    ) -> TypedMessage:
        """EIP-712 typed data that a proposer signs."""
        hashed = keccak(encode(["address[]", "uint256[]", "bytes[]"], _columns(actions)))
        return typed_data(
            self._call,
            "Proposal",
            _PROPOSAL,
            {
                "proposer": proposer,
                "actionsHash": to_hex(hashed),
                "descriptionHash": to_hex(keccak(text=description)),
                "nonce": self.proposal_nonce(proposer),
                "deadline": deadline,
            },
        )

    def ballot_typed_data(self, proposal_id: int, support: int, voter: Address) -> TypedMessage:
        """EIP-712 typed data that a voter signs."""
        return typed_data(
            self._call,
            "Ballot",
            _BALLOT,
            {
                "proposalId": proposal_id,
                "support": support,
                "voter": voter,
                "nonce": self.ballot_nonce(proposal_id, voter),
            },
        )

    def sign_proposal(self, account: LocalAccount, actions: Sequence[Action], description: str, deadline: int) -> bytes:
        """65-byte signature of a proposal."""
        typed = self.proposal_typed_data(account.address, actions, description, deadline)
        return bytes(account.sign_message(typed.signable()).signature)

    def sign_ballot(self, account: LocalAccount, proposal_id: int, support: int) -> Ballot:
        """A signed ballot."""
        typed = self.ballot_typed_data(proposal_id, support, account.address)
        signature = bytes(account.sign_message(typed.signable()).signature)
        return Ballot(proposal_id, support, account.address, signature)

    def propose(self, actions: Sequence[Action], description: str) -> ContractFunction:
        """Propose as the sender."""
        return self._call.propose(*_columns(actions), description)

    def propose_by_sig(
        self, proposer: str, actions: Sequence[Action], description: str, deadline: int, signature: bytes
    ) -> ContractFunction:
        """Propose for a holder who signed."""
        return self._call.proposeBySig(proposer, *_columns(actions), description, deadline, signature)

    def cast_vote(self, proposal_id: int, support: int) -> ContractFunction:
        """Vote as the sender."""
        return self._call.castVote(proposal_id, support)

    def relay_votes(self, ballots: Sequence[Ballot]) -> ContractFunction:
        """Cast signed ballots; a refused one does not stop the rest."""
        return self._call.relayVotes([(b.proposal_id, b.support, b.voter, b.signature) for b in ballots])

    def ids(self, first_block: int) -> list[int]:
        """Every proposal since a block, in the order of the chain."""
        return [int(event["args"]["proposalId"]) for event in self._created(first_block)]

    def calls_of(self, proposal_id: int, first_block: int) -> tuple[list[Action], bytes]:
        """The calls of a proposal and its description's 32-byte hash, from its own event. Raises BadField."""
        actions, text = self.made_of(proposal_id, first_block)
        return actions, keccak(text)

    def made_of(self, proposal_id: int, first_block: int) -> tuple[list[Action], bytes]:
        """The calls of a proposal and its description's bytes, from its own event. Raises BadField."""
        for event in self._created(first_block):
            args = event["args"]
            if args["proposalId"] != proposal_id:
                continue
            actions = [Action(*call) for call in zip(args["targets"], args["calldatas"], args["values"], strict=True)]
            raw = self.w3.eth.get_transaction_receipt(event["transactionHash"])["logs"]
            data = next(log["data"] for log in raw if log["logIndex"] == event["logIndex"])
            return actions, description_bytes(bytes(data))
        raise BadField(f"proposal must exist: the governor logged no {proposal_id}")

    def _created(self, first_block: int) -> list[EventData]:
        contract = contract_at(self.w3, "ModelGovernor", self.address)
        return EventHistory(contract, ["ProposalCreated"], first_block).until()

    def object_to(self, actions: Sequence[Action], description: str | bytes, at: int) -> ContractFunction:
        """Object to a proposal that passed, with the votes that the sender had at a second since the vote's end."""
        return self._call.objectTo(*_columns(actions), _hash(description), at)

    def objections_to(self, proposal_id: int, at: int) -> int:
        """Votes that objected, weighed at a second."""
        return int(self._call.objectionsTo(proposal_id, at).call())

    def objected(self, proposal_id: int, first_block: int) -> list[Objection]:
        """Objections in the order of the chain, from the events since a block."""
        events = EventHistory(contract_at(self.w3, "ModelGovernor", self.address), ["Objected"], first_block).until()
        matches = (event["args"] for event in events if int(event["args"]["proposalId"]) == proposal_id)
        return [
            Objection(str(args["holder"]), int(args["second"]), int(args["weight"]), int(args["objections"]))
            for args in matches
        ]

    def queue(self, actions: Sequence[Action], description: str | bytes) -> ContractFunction:
        """Hand a successful proposal to the timelock. The description may be given by its 32-byte keccak256."""
        return self._call.queue(*_columns(actions), _hash(description))

    def execute(self, actions: Sequence[Action], description: str | bytes) -> ContractFunction:
        """Execute a queued proposal after its delay. The description may be given by its 32-byte keccak256."""
        return self._call.execute(*_columns(actions), _hash(description))


def description_bytes(data: bytes) -> bytes:
    """The description in the data of a ProposalCreated, as it was sent: bytes that need be no text."""
    kinds = ("uint256", "address", "address[]", "uint256[]", "string[]", "bytes[]", "uint256", "uint256", "bytes")
    # strings are read as bytes: both have the same encoding, and nothing is asked of them
    values = decode([kind.replace("string", "bytes") for kind in kinds], data)
    return bytes(values[-1])


def _hash(description: str | bytes) -> bytes:
    return keccak(text=description) if isinstance(description, str) else description


def _columns(actions: Sequence[Action]) -> tuple[list[str], list[int], list[bytes]]:
    return [a.target for a in actions], [a.value for a in actions], [a.data for a in actions]
