"""The words of nodes. tests/ledger/relay/test_confirmations.py has the answers of a real one."""

from __future__ import annotations

import pytest
from web3.exceptions import Web3RPCError

from ledger.relay.broadcast import SendResult, meaning, message_of

pytestmark = pytest.mark.unit

WORDS = {
    # geth
    "already known": SendResult.KNOWN,
    "nonce too low: next nonce 5, tx nonce 4": SendResult.NONCE_LOW,
    "nonce too high": SendResult.NONCE_HIGH,
    "replacement transaction underpriced": SendResult.OUTBID,
    "transaction underpriced: gas tip cap 1, minimum needed 2": SendResult.OUTBID,
    "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1": SendResult.POOR,
    "txpool is full": SendResult.BUSY,
    "account limit exceeded": SendResult.BUSY,
    "future transaction tries to replace pending": SendResult.BUSY,
    "exceeds block gas limit": SendResult.REFUSED,
    "intrinsic gas too low: gas 10, minimum needed 21000": SendResult.REFUSED,
    "only replay-protected (EIP-155) transactions allowed over RPC": SendResult.REFUSED,
    # anvil
    "transaction already imported": SendResult.KNOWN,
    "nonce too low": SendResult.NONCE_LOW,
    "max fee per gas less than block base fee": SendResult.OUTBID,
    "Insufficient funds for gas * price + value": SendResult.POOR,
    "invalid chain id for signer": SendResult.REFUSED,
    # Nethermind
    "AlreadyKnown": SendResult.KNOWN,
    "OldNonce, Current nonce: 5, nonce of rejected tx: 4.": SendResult.NONCE_LOW,
    "ReplacementNotAllowed, existing transaction with the same nonce": SendResult.OUTBID,
    "FeeTooLow, MaxFeePerGas too low": SendResult.OUTBID,
    "InsufficientFunds, Account balance: 0": SendResult.POOR,
    "NonceGap, Future nonce. Expected nonce: 5": SendResult.NONCE_HIGH,
    # Erigon, Besu
    "INTERNAL_ERROR: could not replace existing tx": SendResult.OUTBID,
    "ALREADY_EXISTS: already known": SendResult.KNOWN,
    "Known transaction": SendResult.KNOWN,
    "Upfront cost exceeds account balance": SendResult.POOR,
    "Transaction nonce is too distant from current sender nonce": SendResult.NONCE_HIGH,
    # the embedded chain
    "nonce too high: next nonce 1, tx nonce 2": SendResult.NONCE_HIGH,
}


@pytest.mark.parametrize("words", WORDS)
def test_each_is_understood(words: str) -> None:
    assert meaning(words) is WORDS[words]


def test_the_message_is_that_of_the_answer_not_of_its_error() -> None:
    """The code in front would match nothing, but a data field may say anything."""
    answer = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32003, "message": "nonce too low", "data": "already known"}}
    assert message_of(Web3RPCError("x", rpc_response=answer)) == "nonce too low"  # type: ignore[arg-type]
    assert message_of(ValueError("already known")) == "already known"


def test_a_nodes_words_can_be_kept() -> None:
    answer = {"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "reverted: \0\ud800"}}
    assert message_of(Web3RPCError("x", rpc_response=answer)) == r"reverted: \x00\ud800"  # type: ignore[arg-type]
