"""The holders of powers at the end of the block in which a model was registered, by the events until then.

Logs tell the state at a past block on any node, where a call at that block needs an archive; and what votes changed
later is no part of it. The code that emitted them is ours (contracts/genesis/creation.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import LogReceipt

from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.chain.event_table import EventTable
from contracts.evm.log_ranges import Wanted, logs
from contracts.genesis.creation import contract_names
from contracts.genesis.params import GenesisParams
from contracts.genesis.refused import GenesisRefused, require
from contracts.ids import ZERO_ADDRESS, Address, as_address, to_hex

ADMIN = bytes(32)
"""OpenZeppelin's DEFAULT_ADMIN_ROLE."""
GOVERNOR_ROLES = ("PROPOSER_ROLE", "CANCELLER_ROLE")
"""The roles that the governor holds, on the timelock and nowhere else."""
Grant = tuple[str, bytes, str]
"""Contract, role, holder."""
ROLES = ("RoleGranted", "RoleRevoked")
HARMLESS: Mapping[str, tuple[str, ...]] = {
    "ModelToken": (*ROLES, "BudgetSet", "Reserved", "Approval", "DelegateChanged", "Transfer"),
    "ModelTimelock": (*ROLES, "MinDelayChange"),
    "ModelGovernor": (
        "VotingDelaySet",
        "VotingPeriodSet",
        "ProposalThresholdSet",
        "QuorumNumeratorUpdated",
        "TimelockChange",
        "LateQuorumVoteExtensionSet",
        "BallotRefused",
    ),
    "VerifierRegistry": (
        *ROLES,
        "VerifierAdmitted",
        "VerifierRemoved",
        "ThresholdSet",
        "MaxEpochTotalSet",
        "Staked",
        "Unstaked",
        "NodeStakeChanged",
        "NodeWithdrawalRequested",
        "NodeWithdrawn",
    ),
    "EpochDistributor": (),
    "RevenueSplitter": (),
    "CapitalPool": (*ROLES, "Deposited", "Withdrawn", "SurplusRecovered"),
}
"""Events of constructors and the hand-over, and of strangers meanwhile. Any other gave somebody a thing that this check
does not see: a call that waits, an epoch that was paid, tokens, or a proposal, which nobody can make before there are
tokens, and which nobody who joins was shown."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a model's own contract."""

    contract: str
    address: Address
    name: str
    said: Mapping[str, Any]


def role(name: str) -> bytes:
    """The 32-byte role of this name."""
    return bytes(keccak(text=name))


def events_before(w3: Web3, d: Deployment, first: int) -> list[Event]:
    """All that the model's own contracts said from block `first` until the registration's.

    Raises GenesisRefused for an event that must not have happened.
    """
    names = dict(zip(d.contracts(), contract_names(d), strict=True))
    names.pop(d.model_registry)  # it serves other models
    tables = {name: EventTable(contract_at(w3, name, as_address(address))) for address, name in names.items()}
    wanted = Wanted(tuple(map(Web3.to_checksum_address, names)))
    named_logs = ((names[str(log["address"])], log) for log in logs(w3, wanted, first, d.block))
    return [_event(tables[name], name, log) for name, log in named_logs]


def check_roles(d: Deployment, events: list[Event]) -> None:
    """Raise GenesisRefused unless exactly the contracts hold the powers.

    The timelock administers itself, token, verifiers and pool, arbitrates and guards; the governor proposes and
    cancels; anybody executes.
    """
    grants = _held(events)
    needed = _needed(d)
    for contract, role_id, holder in sorted(grants - needed):
        raise GenesisRefused(f"{holder} holds role {to_hex(role_id)} on {contract}")
    for contract, role_id, holder in sorted(needed - grants):
        raise GenesisRefused(f"{holder} lacks role {to_hex(role_id)} on {contract}")


def budgets_of(events: list[Event]) -> dict[str, int]:
    """Each minter's budget, by address."""
    return {e.said["minter"]: e.said["budget"] for e in events if e.name == "BudgetSet"}


def check_budgets(d: Deployment, p: GenesisParams, budgets: Mapping[str, int]) -> None:
    """Raise GenesisRefused unless distributor and pool alone were ever minters, and the pool's budget pays what it
    sells."""
    require(set(budgets) == {d.distributor, d.pool} - {""}, f"minters are {sorted(budgets)}")
    sold = p.tokens_sold()
    require(not d.pool or budgets[d.pool] == sold, f"the pool sells up to {sold} and may mint {budgets.get(d.pool)}")


def seats_of(events: list[Event]) -> list[str]:
    """Verifiers that were admitted and had not left."""
    seats: dict[str, None] = {}
    for event in events:
        if event.name == "VerifierAdmitted":
            seats[event.said["verifier"]] = None
        elif event.name == "VerifierRemoved":
            seats.pop(event.said["verifier"])
    return list(seats)


def _event(table: EventTable, contract: str, log: LogReceipt) -> Event:
    name = table.name_of(log)
    if name is None or name not in HARMLESS[contract]:
        topic = to_hex(log["topics"][0]) if log["topics"] else "nothing with a name"
        raise GenesisRefused(f"before the registration {contract} said {name or topic}, in block {log['blockNumber']}")
    event = Event(contract, as_address(str(log["address"])), name, table.decode(log)["args"])
    require(name != "Transfer" or event.said["value"] == 0, "before the registration tokens were minted")
    return event


def _held(events: list[Event]) -> set[Grant]:
    grants = set[Grant]()
    for event in _of(events, *ROLES):
        change = grants.add if event.name == "RoleGranted" else grants.discard
        change((event.address, bytes(event.said["role"]), str(event.said["account"])))
    return grants


def _of(events: list[Event], *names: str) -> Iterator[Event]:
    return (event for event in events if event.name in names)


def _needed(d: Deployment) -> set[Grant]:
    """Every role that must be held, and no other."""
    administered = [d.token, d.timelock, d.verifier_registry, *([d.pool] if d.pool else [])]
    return {
        *((where, ADMIN, d.timelock) for where in administered),
        (d.token, role("GUARDIAN_ROLE"), d.timelock),
        (d.verifier_registry, role("ARBITER_ROLE"), d.timelock),
        *((d.timelock, role(name), d.governor) for name in GOVERNOR_ROLES),
        (d.timelock, role("EXECUTOR_ROLE"), ZERO_ADDRESS),
    }
