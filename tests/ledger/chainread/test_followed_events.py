"""Every event of every contract is followed, or stands here with the reason why not (J18).

`VoteCastWithParams` was neither: the Governor counted votes that the API did not know of.
"""

from __future__ import annotations

import pytest

from contracts.chain.connection import load_artifact
from contracts.protocol.chain.logs import MODEL_EVENTS, REGISTRY_EVENTS
from ledger.chainread.indexer import FOLLOWED
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
CONTRACTS = (
    "ModelToken",
    "ModelRegistry",
    "VerifierRegistry",
    "ModelGovernor",
    "ModelTimelock",
    "CapitalPool",
    "EpochDistributor",
    "RevenueSplitter",
)
_ROLES = "genesis gives all roles to the timelock and checks it; a change needs a proposal, which is shown"
_DOMAIN = "the name and version of a signing domain are fixed when a contract is made"
_SETTING = "a setting of votes: the Governor is asked when it matters, and the proposal is shown"
_OWED = "a pull payment: who is owed asks the contract"
REASONS: dict[str, dict[str, str]] = {
    "ModelToken": {
        "Approval": "an allowance moves nothing",
        "BudgetSet": "the contract refuses what is above it; the proposal is shown",
        "DelegateVotesChanged": "past votes are asked of the token, which counts delegation",
        "EIP712DomainChanged": _DOMAIN,
        "Reserved": "what is owed follows from the roots and deposits that are shown",
        "MintingPausedSet": "a mint that is paused is refused and tried again",
        "RoleAdminChanged": _ROLES,
        "RoleGranted": _ROLES,
        "RoleRevoked": _ROLES,
    },
    "ModelRegistry": {
        "ModelRegistered": "who joins a model reads its entry",
        "CheckpointRecorded": "a record for readers of the chain",
        "ReleaseRecorded": "a record for readers of the chain",
    },
    "VerifierRegistry": {
        "ChallengeFailed": "the epoch's end is followed",
        "EpochSigned": "the epoch's end is followed",
        "EIP712DomainChanged": _DOMAIN,
        "NodeWithdrawalRequested": "the stake that counts is followed",
        "NodeWithdrawn": "NodeStakeChanged comes with it",
        "MoneyHeld": "what was taken is no stake any more",
        "HeldMoneyPaid": "what was taken is no stake any more",
        "PaymentOwed": _OWED,
        "PaymentWithdrawn": _OWED,
        "RoleAdminChanged": _ROLES,
        "RoleGranted": _ROLES,
        "RoleRevoked": _ROLES,
    },
    "ModelGovernor": {
        "Objected": "objections that cancel a proposal come with ProposalCanceled",
        "BallotRefused": "a ballot that was refused is no vote; the relayer sees its transaction",
        "EIP712DomainChanged": _DOMAIN,
        "LateQuorumVoteExtensionSet": _SETTING,
        "ProposalThresholdSet": _SETTING,
        "QuorumNumeratorUpdated": _SETTING,
        "VotingDelaySet": _SETTING,
        "VotingPeriodSet": _SETTING,
        "TimelockChange": _SETTING,
    },
    "ModelTimelock": {
        "CallExecuted": "the timelock executes for the Governor alone, whose ProposalExecuted comes with it",
        "CallSalt": "a part of CallScheduled",
        "CallScheduled": "the Governor's ProposalQueued comes with it",
        "Cancelled": "the timelock cancels for the Governor alone, whose ProposalCanceled comes with it",
        "MinDelayChange": _SETTING,
        "RoleAdminChanged": _ROLES,
        "RoleGranted": _ROLES,
        "RoleRevoked": _ROLES,
    },
    "CapitalPool": dict.fromkeys(
        ("Cancelled", "Claimed", "Deposited", "Left", "Refunded", "SurplusRecovered", "Paid", "Withdrawn"),
        "buyers deal with the pool itself; its mints are followed as the token's",
    )
    | {"RoleAdminChanged": _ROLES, "RoleGranted": _ROLES, "RoleRevoked": _ROLES},
    "EpochDistributor": {
        "Claimed": "the token's Minted comes with it",
        "PassedOver": "nothing was paid",
        "EIP712DomainChanged": _DOMAIN,
    },
    "RevenueSplitter": dict.fromkeys(("Distributed", "Released"), "holders deal with the splitter itself"),
}


def followed(contract: str) -> set[str]:
    """By the indexer, or by the machine of rules."""
    machine = {"VerifierRegistry": REGISTRY_EVENTS, "ModelRegistry": MODEL_EVENTS}
    return {*FOLLOWED.get(contract, ()), *machine.get(contract, ())}


@holds("No event of a contract is ignored", by="ledger/chainread/indexer.py:read_block", against=Threat.BAD_CHAIN)
@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_event_is_followed_or_named(contract: str) -> None:
    events = {entry["name"] for entry in load_artifact(contract)["abi"] if entry["type"] == "event"}
    reasons = REASONS.get(contract, {})
    assert events == followed(contract) | reasons.keys(), "an event has neither a follower nor a reason"
    assert not followed(contract) & reasons.keys(), "a reason for what is followed"
    assert all(reasons.values())
