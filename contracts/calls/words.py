"""A call in words: which contract of the model, which function, which arguments; raw data where it is none of these.

Anybody may propose anything, so nothing here fails on a proposer's text, and nothing is called by a name that its
bytes do not carry: data is shown as a function's only where encoding its arguments again gives the same bytes.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_utils.abi import abi_to_signature, filter_abi_by_type, function_signature_to_4byte_selector
from hexbytes import HexBytes
from web3 import Web3

from contracts.amounts import COINS, TOKENS, amount
from contracts.bindings.governor import Action
from contracts.chain.connection import contract_at, load_artifact
from contracts.chain.deployment import Deployment
from contracts.ids import Address, from_hex, to_hex

LONGEST_TEXT = 200
"""Characters of an argument that are shown; the rest is cut, and the cut is told."""
LONGEST_DATA = 1_000
LONGEST_READ = 8_192
"""Bytes of a call that are read as a function's: its arguments may name one part a thousand times, each anew."""
MOST_CALLS, MOST_WORDS, MOST_READ = 64, 400, 2 * LONGEST_READ
"""Limits of a proposal: calls that are told, characters of each, and bytes that are read as functions."""
WORDS: dict[str, str] = {
    "ModelRegistry.decide": "decision {decisionId}: {key} = {value} for the model's runs",
    "ModelRegistry.recordCheckpoint": "record the weights {digest} as those after round {round}",
    "ModelRegistry.recordRelease": "release the weights {digest} as version {version} under {licence}",
    "ModelToken.setBudget": "let {minter} owe {budget:tokens} more from now on, or what the cap leaves",
    "ModelToken.setMintingPaused": "stop all minting for two weeks at most ({paused}), or go on with it",
    "ModelToken.transfer": "pay {value:tokens} of the treasury to {to}",
    "VerifierRegistry.admit": "admit {verifier} as a verifier",
    "VerifierRegistry.remove": "remove {verifier} from the verifiers",
    "VerifierRegistry.setThreshold": "ask for {threshold_} equal words of verifiers",
    "VerifierRegistry.setMaxEpochTotal": "limit what one epoch pays to {maxEpochTotal_:tokens}",
    "VerifierRegistry.resolve": (
        "decide the dispute of second {challengedAt} about root {root} of epoch {epochNumber}: upheld {upheld}"
    ),
    "VerifierRegistry.decideHeld": "decide that what was taken from {account} on {ground} goes back to it: {back}",
    "ModelGovernor.setVotingDelay": "begin votes {newVotingDelay} seconds after a proposal",
    "ModelGovernor.setVotingPeriod": "let votes last {newVotingPeriod} seconds",
    "ModelGovernor.setProposalThreshold": "ask {newProposalThreshold:tokens} of who proposes",
    "ModelGovernor.updateQuorumNumerator": "ask {newQuorumNumerator} per cent of the supply to vote",
    "ModelGovernor.setLateQuorumVoteExtension": "keep votes open {newVoteExtension} seconds after a late quorum",
    "ModelGovernor.updateTimelock": "try to have the governor act through the timelock {newTimelock}, which it refuses",
    "ModelGovernor.relay": "try to have the governor call {target} with {data} and {value:coins}, which it refuses",
    "ModelToken.grantRole": "try to give {account} the role {role} on ModelToken, which refuses it",
    "ModelToken.revokeRole": "try to take the role {role} on ModelToken from {account}, which refuses it",
    "VerifierRegistry.grantRole": "try to give {account} the role {role} on VerifierRegistry, which refuses it",
    "VerifierRegistry.revokeRole": "try to take the role {role} on VerifierRegistry from {account}, which refuses it",
    "ModelTimelock.grantRole": "try to give {account} the role {role} on ModelTimelock, which refuses it",
    "ModelTimelock.revokeRole": "try to take the role {role} on ModelTimelock from {account}, which refuses it",
    "CapitalPool.grantRole": "try to give {account} the role {role} on CapitalPool, which refuses it",
    "CapitalPool.revokeRole": "try to take the role {role} on CapitalPool from {account}, which refuses it",
    "CapitalPool.pay": "pay {amount} units of the funding round's money to {to}",
    "CapitalPool.cancel": "end the open funding round, so that all are paid back",
    "ModelTimelock.updateDelay": "execute {newDelay} seconds after a vote",
}
"""The effect of a call, by its arguments (`tokens` and `coins` are amounts of 1e-18); a function without a line is
shown with its arguments by name."""
_CURRENCY_WORDS: dict[str, str] = {
    "transfer": "pay {value} units to {to}",
    "approve": "let {spender} take up to {value} units",
    "transferFrom": "pay {value} units of {from} to {to}",
}
"""The effect of calls of another contract, where it keeps to EIP-20."""


class _Shown(string.Formatter):
    """Arguments as people read them."""

    def format_field(self, value: Any, kind: str) -> str:
        """By the kind after the colon."""
        return amount(value, kind) if kind in (TOKENS, COINS) else str(value)


@dataclass(frozen=True, slots=True)
class CallInWords:
    """A call as people read it. `contract` and `function` are empty where it is none of the model's own."""

    target: str
    value: int
    data: str
    contract: str
    function: str
    arguments: Mapping[str, Any]
    words: str


def calls_in_words(w3: Web3, deployment: Deployment, actions: Sequence[Action]) -> list[str]:
    """The calls of a proposal, each in MOST_WORDS characters at most, of MOST_CALLS at most.

    Reading a call costs by its length, and strangers write them: of all calls together MOST_READ bytes are read as
    functions, the rest is told as the bytes that it is.
    """
    lines = list[str]()
    spare = MOST_READ
    for action in actions[:MOST_CALLS]:
        lines.append(_cut(in_words(w3, deployment, action, spare).words, MOST_WORDS))
        spare = max(0, spare - len(action.data))
    return lines


def in_words(w3: Web3, deployment: Deployment, action: Action, most_read: int = LONGEST_READ) -> CallInWords:
    """One call of a proposal; longer than `most_read` bytes it is told as it is. Reads no chain and never fails."""
    target = Web3.to_checksum_address(action.target)
    data = to_hex(action.data)
    contract = contract_names(deployment).get(target, "")
    is_read = len(action.data) <= most_read
    function, arguments = _decoded(w3, contract, target, action.data) if contract and is_read else ("", {})
    if function:
        words = _words(contract, function, arguments)
    else:
        words = _foreign(w3, contract or target, action) if is_read else _raw(contract or target, data, action.value)
    return CallInWords(target, action.value, _cut(data, LONGEST_DATA), contract, function, arguments, words)


def contract_names(deployment: Deployment) -> dict[str, str]:
    """Checksummed address to the name of each contract of the model."""
    names = {
        deployment.token: "ModelToken",
        deployment.timelock: "ModelTimelock",
        deployment.governor: "ModelGovernor",
        deployment.verifier_registry: "VerifierRegistry",
        deployment.distributor: "EpochDistributor",
        deployment.splitter: "RevenueSplitter",
        deployment.model_registry: "ModelRegistry",
        deployment.pool: "CapitalPool",
    }
    return {Web3.to_checksum_address(address): name for address, name in names.items() if address}


def _decoded(w3: Web3, name: str, target: Address, data: bytes) -> tuple[str, Mapping[str, Any]]:
    contract = contract_at(w3, name, target)
    if len(data) > LONGEST_READ or data[:4] not in _selectors(name):
        return "", {}
    try:
        function, arguments = contract.decode_function_input(HexBytes(data))
        again = contract.functions[function.abi_element_identifier](**arguments)._encode_transaction_data()
    except Exception:  # whatever a stranger's bytes do to the decoder: they are shown as they are
        return "", {}
    if from_hex(str(again)) != data:
        return "", {}
    return str(function.fn_name), {key: _plain(value) for key, value in arguments.items()}


@cache
def _selectors(name: str) -> frozenset[bytes]:
    functions = filter_abi_by_type("function", load_artifact(name)["abi"])
    return frozenset(function_signature_to_4byte_selector(abi_to_signature(function)) for function in functions)


def _words(contract: str, function: str, arguments: Mapping[str, Any]) -> str:
    template = WORDS.get(f"{contract}.{function}")
    if template is not None:
        return _Shown().vformat(template, (), arguments)
    inner = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return _cut(f"{contract}.{function}({inner})", LONGEST_DATA)


def _foreign(w3: Web3, target: str, action: Action) -> str:
    """The effect of the call where the target is an ERC-20; else the bytes."""
    function, arguments = _decoded(w3, "ModelToken", Web3.to_checksum_address(action.target), action.data)
    template = _CURRENCY_WORDS.get(function) if not action.value else None
    if template is None:
        return _raw(target, to_hex(action.data), action.value)
    return f"{template.format_map(arguments)}, if {target} is an ERC-20"


def _raw(target: str, data: str, value: int) -> str:
    coins = amount(value, COINS)
    if data == "0x":
        return f"send {coins} to {target}"
    return f"call {target} with {_cut(data, LONGEST_TEXT)}{f' with {coins}' if value else ''}"


def _plain(value: Any) -> Any:
    """As JSON holds it, whole numbers as text, each text cut."""
    if isinstance(value, bytes):
        return _cut(to_hex(value), LONGEST_TEXT)
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value[:LONGEST_TEXT]]
    if isinstance(value, bool):
        return value
    return _cut(str(value), LONGEST_TEXT)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
