"""The state of a signed call, by the chain and never by the answer to a broadcast.

A call is mined or reverted once one of its hashes is in a block, and final or failed once that block is final. It is
signed again if the block is gone, and requeued for a new nonce if a final block has an external transaction of its
nonce (ledger/relay/call_state.py draws all states).

A call gets a new nonce on observing the external transaction in a final block, not for lack of a receipt: a node that
lags or has lost an index would otherwise have the call sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, cast

from sqlmodel import col, select
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3Exception
from web3.types import TxReceipt

from contracts.chain.connection import ContractRejected, rejections
from contracts.ids import to_hex
from contracts.wire.states import CallState
from ledger.chain import ModelChain
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.relay import call_state, leases, signing
from ledger.relay.call_state import WATCHED, Inclusion
from ledger.relay.leases import HeldLease
from ledger.storage.tables import Attempt, Outgoing


class ChainView:
    """The chain during one pass: the final block is read first, and everything is asked once."""

    def __init__(self, chain: ModelChain) -> None:
        self.chain, self.final = chain, chain.final()
        self._counts: dict[tuple[str, str], int] = {}
        self._hashes: dict[int, str] = {}

    def used(self, signer: str) -> int:
        """Nonces of a signer below this one are used up to the newest block."""
        return self._count(signer, "latest")

    def used_for_good(self, signer: str) -> int:
        """Nonces of a signer below this one are used up to the final block."""
        return self._count(signer, hex(self.final))

    def hash_of(self, number: int) -> str:
        """Hash of block `number` as 0x hex, empty if there is none."""
        if number not in self._hashes:
            try:
                self._hashes[number] = to_hex(self.chain.block_hash(number))
            except BlockNotFound:
                self._hashes[number] = ""
        return self._hashes[number]

    def receipt(self, transaction: str) -> TxReceipt | None:
        """The receipt of a transaction, if its block is in the chain now."""
        try:
            receipt = self.chain.w3.eth.get_transaction_receipt(cast(Any, transaction))
        except TransactionNotFound:
            return None
        return receipt if to_hex(receipt["blockHash"]) == self.hash_of(int(receipt["blockNumber"])) else None

    def sent_by(self, signer: str, nonce: int, after: int, each: Callable[[], None]) -> str | None:
        """Hash of the transaction that used a nonce, in a final block: by the signer's count of transactions, else
        (a node may lack old states) block by block after block `after`. `each` is called before each block.
        """
        counted = self._block_of(signer, nonce)
        for number in chain([] if counted is None else [counted], range(after + 1, self.final + 1)):
            each()
            block = self.chain.w3.eth.get_block(number, full_transactions=True)
            for transaction in cast(list[Any], block["transactions"]):
                if (transaction["from"], transaction.get("nonce")) == (signer, nonce):
                    return str(to_hex(transaction["hash"]))
        return None

    def _block_of(self, signer: str, nonce: int) -> int | None:
        """The final block in which a nonce was used, by bisection; None where the node lacks old states."""
        low = self.chain.deployment.block - 1
        high = self.final
        try:
            while high - low > 1:
                middle = (low + high) // 2
                used = self._count(signer, hex(middle)) > nonce
                low, high = (low, middle) if used else (middle, high)
        except (Web3Exception, ValueError):
            return None
        return high

    def _count(self, signer: str, block: str) -> int:
        if (signer, block) not in self._counts:
            count = self.chain.w3.eth.get_transaction_count(cast(Any, signer), cast(Any, block))
            self._counts[signer, block] = int(count)
        return self._counts[signer, block]


def settle(ledger: Ledger, lease: HeldLease, view: ChainView | None = None) -> None:
    """Look up every call that is signed, or in a block that is not final. Raises LeaseLost."""
    calls = watched(ledger, WATCHED)
    if not calls:
        return
    view = view or ChainView(ledger.chain)
    for call in calls:
        if call.state != CallState.SIGNED and view.hash_of(cast(int, call.block)) == call.block_hash:
            if cast(int, call.block) <= view.final:
                _conclude(ledger, lease, call)
        elif call.state != CallState.SIGNED or view.used(cast(str, call.signer)) > cast(int, call.nonce):
            _look_up(ledger, lease, view, call)


def watched(ledger: Ledger, states: tuple[CallState, ...]) -> list[Outgoing]:
    """Calls in these states, in the order in which they were queued."""
    with ledger.store.read() as session:
        rows = select(Outgoing).where(col(Outgoing.state).in_(states)).order_by(col(Outgoing.order))
        return list(session.exec(rows))


def _look_up(ledger: Ledger, lease: HeldLease, view: ChainView, call: Outgoing) -> None:
    """Look a call up under all hashes of its nonce: the last attempt sent need not be the one that was mined."""
    with ledger.store.read() as session:
        attempts = signing.of(session, call)
    for attempt in attempts:
        receipt = view.receipt(attempt.hash)
        if receipt is not None:
            _in_block(ledger, lease, call, attempt, receipt)
            if int(receipt["blockNumber"]) <= view.final:
                _conclude(ledger, lease, call)
            return
    if call.state != CallState.SIGNED:
        _note_reorg(ledger, lease, call)
    elif view.used_for_good(cast(str, call.signer)) > cast(int, call.nonce):
        _lost_nonce(ledger, lease, view, call, attempts)


def _in_block(ledger: Ledger, lease: HeldLease, call: Outgoing, attempt: Attempt, receipt: TxReceipt) -> None:
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if (row.state, row.nonce) != (call.state, call.nonce):
            return
        inclusion = Inclusion(attempt.hash, int(receipt["blockNumber"]), to_hex(receipt["blockHash"]))
        if receipt["status"] == 1 and not attempt.cancels:
            call_state.mark_mined(row, inclusion)
        else:
            call_state.mark_reverted(row, inclusion)
        session.add(row)
        reach("outbox.mined")


def _note_reorg(ledger: Ledger, lease: HeldLease, call: Outgoing) -> None:
    """A reorg took the block: the same bytes go out again."""
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if (row.state, row.nonce, row.block_hash) != (call.state, call.nonce, call.block_hash):
            return
        call_state.mark_unmined(row, signing.of(session, row)[0].hash)
        session.add(row)
        reach("outbox.returned")


def _conclude(ledger: Ledger, lease: HeldLease, call: Outgoing) -> None:
    """The call's block is final: the call is done, or has one try less."""
    with ledger.store.read() as session:
        seen = session.get_one(Outgoing, call.id)
        cancelled = seen.hash is not None and session.get_one(Attempt, seen.hash).cancels
    succeeded = seen.state == CallState.MINED
    why = None if succeeded else seen.error if cancelled else _why(ledger, seen)
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if (row.state, row.block_hash) != (seen.state, seen.block_hash):
            return
        if succeeded:
            call_state.mark_final(row, ledger.relay, ledger.now())
        else:
            is_spent = row.allowed > 0 and not cancelled  # a budget paid for one try
            call_state.mark_failed(row, why, ledger.relay, ledger.now(), is_last=is_spent)
        session.add(row)
        reach("outbox.final")


def _lost_nonce(ledger: Ledger, lease: HeldLease, view: ChainView, call: Outgoing, attempts: list[Attempt]) -> None:
    signer = cast(str, call.signer)
    nonce = cast(int, call.nonce)
    first = min(attempt.final for attempt in attempts)
    external = view.sent_by(signer, nonce, first, partial(leases.keep, ledger, lease))
    if external is None or external in {attempt.hash for attempt in attempts}:
        return  # the node contradicts itself; a later pass decides
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if (row.state, row.nonce) != (CallState.SIGNED, nonce):
            return
        why = f"nonce {nonce} was used by an external transaction, {external}; signed again with another"
        call_state.mark_outrun(row, why)
        session.add(row)
        reach("outbox.external")


def _why(ledger: Ledger, call: Outgoing) -> str:
    """The contract's refusal at the block in which the call reverted, if the node still has that state."""
    fields: Any = {"from": call.signer, "to": call.to, "data": call.data, "value": call.value}
    try:
        with rejections():
            ledger.chain.w3.eth.call(fields, cast(int, call.block))
    except ContractRejected as refusal:
        return refusal.detail
    except (Web3Exception, ValueError):
        pass
    return f"reverted in block {call.block}"
