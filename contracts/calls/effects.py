"""The effect of a call: the value now beside its arguments, and whether it would go through as the timelock's.

Numbers are read from the chain itself. A call that reverts today may pass after its vote, and the other way round: both
are told as of the block that was asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3
from web3.exceptions import ContractLogicError, Web3Exception

from contracts.bindings.governor import Action
from contracts.calls.words import CallInWords, in_words
from contracts.chain.connection import ContractRejected, contract_at, rejections
from contracts.chain.deployment import Deployment
from contracts.chain.presence import ChainWithoutContract
from contracts.ids import as_address, from_hex, to_hex

READINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ModelToken.setBudget": ("budgetOf", ("minter",)),
    "ModelToken.setMintingPaused": ("pausedUntil", ()),
    "ModelToken.transfer": ("balanceOf", ("@timelock",)),
    "ModelRegistry.decide": ("valueOf", ("model", "key")),
    "ModelRegistry.recordCheckpoint": ("checkpointOf", ("model", "round")),
    "ModelRegistry.recordRelease": ("releaseOf", ("model", "version")),
    "VerifierRegistry.admit": ("stakeOf", ("verifier",)),
    "VerifierRegistry.remove": ("stakeOf", ("verifier",)),
    "VerifierRegistry.setThreshold": ("threshold", ()),
    "VerifierRegistry.setMaxEpochTotal": ("maxEpochTotal", ()),
    "VerifierRegistry.resolve": ("bondNow", ()),
    "VerifierRegistry.decideHeld": ("heldOf", ("ground", "account")),
    "ModelGovernor.setVotingDelay": ("votingDelay", ()),
    "ModelGovernor.setVotingPeriod": ("votingPeriod", ()),
    "ModelGovernor.setProposalThreshold": ("proposalThreshold", ()),
    "ModelGovernor.updateQuorumNumerator": ("quorumNumerator", ()),
    "ModelGovernor.setLateQuorumVoteExtension": ("lateQuorumVoteExtension", ()),
    "ModelTimelock.updateDelay": ("getMinDelay", ()),
    "CapitalPool.pay": ("held", ()),
    "CapitalPool.cancel": ("deposited", ()),
}
"""The getter of what a call changes, on the same contract, and its arguments: the call's own, or the timelock."""


ONLY_GOVERNANCE = "the Governor takes it only while it executes a proposal that has it"
_EMPTY_QUEUE = 0x31
"""Panic of a queue that is taken from while it is empty: the Governor's, of calls that it expects of the timelock."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One call: in words, its getter's value now ("" where there is none), and why it would be refused ("": not).

    `untold`: why that cannot be told before a proposal is executed ("": it was told).
    """

    call: CallInWords
    reads: str
    now: str
    refused: str
    untold: str = ""


def preview(w3: Web3, deployment: Deployment, action: Action) -> Preview:
    """The effect of a call, as of now."""
    call = in_words(w3, deployment, action)
    reads, now = _reading(w3, deployment, call)
    error = _refusal(w3, deployment, action)
    if _is_of_an_empty_queue(deployment, action, error):
        return Preview(call, reads, now, "", ONLY_GOVERNANCE)
    return Preview(call, reads, now, "" if error is None else str(error)[:400] or type(error).__name__)


def verdict(effect: Preview, alone: bool) -> str:
    """Whether it would go through now, for a terminal; beside others (`alone` false) they may change it."""
    if effect.untold:
        return f"cannot be told now: {effect.untold}"
    by_itself = "" if alone else ", by itself: the calls before it may change that"
    return f"refused now{by_itself}: {effect.refused}" if effect.refused else f"would go through now{by_itself}"


def _reading(w3: Web3, deployment: Deployment, call: CallInWords) -> tuple[str, str]:
    reading = READINGS.get(f"{call.contract}.{call.function}")
    if reading is None:
        return "", ""
    getter, names = reading
    arguments = [deployment.timelock if name == "@timelock" else call.arguments[name] for name in names]
    function = contract_at(w3, call.contract, as_address(call.target)).get_function_by_name(getter)
    kinds = [part["type"] for part in function.abi["inputs"]]
    value = function(*(_typed(kind, argument) for kind, argument in zip(kinds, arguments, strict=True))).call()
    return f"{call.contract}.{getter}", to_hex(value) if isinstance(value, bytes) else str(value)


def _typed(kind: str, value: object) -> object:
    """Arguments in words are text."""
    if kind.startswith("uint"):
        return int(str(value))
    return from_hex(str(value)) if kind.startswith("bytes") else value


def _refusal(w3: Web3, deployment: Deployment, action: Action) -> Exception | None:
    request = {"from": deployment.timelock, "to": action.target, "data": action.data, "value": action.value}
    try:
        with rejections():
            w3.eth.call(request)  # type: ignore[arg-type]
    except (ChainWithoutContract, ContractRejected, ContractLogicError, Web3Exception, ValueError) as error:
        return error
    return None


def _is_of_an_empty_queue(deployment: Deployment, action: Action, error: Exception | None) -> bool:
    """Whether the Governor, or the timelock in its name, misses the proposal that is executed (OpenZeppelin's
    onlyGovernance)."""
    governance = {Web3.to_checksum_address(address) for address in (deployment.governor, deployment.timelock)}
    if not isinstance(error, ContractRejected) or Web3.to_checksum_address(action.target) not in governance:
        return False
    return error.error == "Panic" and error.args_.get("panic") == _EMPTY_QUEUE
