"""The words of nodes. tests/ledger/relay/test_confirmations.py has the answers of a real one."""

from __future__ import annotations

import pytest
from web3.exceptions import Web3RPCError

from ledger.relay.broadcast import Said, meaning, message_of

pytestmark = pytest.mark.unit

WORDS = {
    # geth
    "already known": Said.KNOWN,
    "nonce too low: next nonce 5, tx nonce 4": Said.NONCE_LOW,
    "nonce too high": Said.NONCE_HIGH,
    "replacement transaction underpriced": Said.OUTBID,
    "transaction underpriced: gas tip cap 1, minimum needed 2": Said.OUTBID,
    "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1": Said.POOR,
    "txpool is full": Said.BUSY,
    "account limit exceeded": Said.BUSY,
    "future transaction tries to replace pending": Said.BUSY,
    "exceeds block gas limit": Said.REFUSED,
    "intrinsic gas too low: gas 10, minimum needed 21000": Said.REFUSED,
    "only replay-protected (EIP-155) transactions allowed over RPC": Said.REFUSED,
    # anvil
    "transaction already imported": Said.KNOWN,
    "nonce too low": Said.NONCE_LOW,
    "max fee per gas less than block base fee": Said.OUTBID,
    "Insufficient funds for gas * price + value": Said.POOR,
    "invalid chain id for signer": Said.REFUSED,
    # Nethermind
    "AlreadyKnown": Said.KNOWN,
    "OldNonce, Current nonce: 5, nonce of rejected tx: 4.": Said.NONCE_LOW,
    "ReplacementNotAllowed, existing transaction with the same nonce": Said.OUTBID,
    "FeeTooLow, MaxFeePerGas too low": Said.OUTBID,
    "InsufficientFunds, Account balance: 0": Said.POOR,
    "NonceGap, Future nonce. Expected nonce: 5": Said.NONCE_HIGH,
    # Erigon, Besu
    "INTERNAL_ERROR: could not replace existing tx": Said.OUTBID,
    "ALREADY_EXISTS: already known": Said.KNOWN,
    "Known transaction": Said.KNOWN,
    "Upfront cost exceeds account balance": Said.POOR,
    "Transaction nonce is too distant from current sender nonce": Said.NONCE_HIGH,
    # the embedded chain
    "nonce too high: next nonce 1, tx nonce 2": Said.NONCE_HIGH,
}


@pytest.mark.parametrize("words", WORDS)
def test_each_is_understood(words: str) -> None:
    assert meaning(words) is WORDS[words]


def test_the_words_are_taken_from_the_answer_and_not_from_the_error_around_it() -> None:
    """The code in front would match nothing, but a data field may say anything."""
    answer = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32003, "message": "nonce too low", "data": "already known"}}
    assert message_of(Web3RPCError("x", rpc_response=answer)) == "nonce too low"  # type: ignore[arg-type]
    assert message_of(ValueError("already known")) == "already known"


def test_a_nodes_words_can_be_kept() -> None:
    answer = {"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "reverted: \0\ud800"}}
    assert message_of(Web3RPCError("x", rpc_response=answer)) == r"reverted: \x00\ud800"  # type: ignore[arg-type]
