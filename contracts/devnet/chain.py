"""An embedded chain for one machine: py-evm (set up by eth-tester) behind JSON-RPC.

Each transaction is mined at once, and an empty block follows every `block_time` seconds, so that clock and
beacon (block hashes) move on in real time. Block timestamps are wall clock plus `evm_increaseTime`; two blocks
of one second share a timestamp, since counting up instead would let the chain run ahead of the wall.
A faucet sends coins to keys that are made later (`devnet_fund`).
Blocks never reorganise: `finalized`, `safe`, `pending`, `latest` name the same block. State lives in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from eth.vm.forks import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_tester.backends.pyevm import PyEVMBackend
from eth_utils.address import to_canonical_address

from contracts.devnet import json as wire
from contracts.devnet.faucet import HOLDS, Faucet
from contracts.devnet.json import JsonObject, RpcError
from contracts.ids import to_hex

CHAIN_ID = 31337
GAS_LIMIT = 30_000_000
ETHER = 10**18
_NOBODY = b"\0" * 20
# py-evm refuses a block of its parent's second; all blocks here are our own
_SAME_SECOND_VM = type("SameSecondVM", (PragueVM,), {"validate_header": classmethod(lambda *_: None)})


class Devnet:
    """One in-memory chain. Thread-safe: one lock around the EVM.

    `funded` are addresses that hold `balance` wei at genesis.
    """

    def __init__(self, funded: Iterable[str] = (), *, chain_id: int = CHAIN_ID, balance: int = 10_000 * ETHER) -> None:
        self._faucet = Faucet()
        account = {"balance": balance, "nonce": 0, "code": b"", "storage": {}}
        state: dict[Any, Any] = {to_canonical_address(a): account for a in funded}
        state[to_canonical_address(self._faucet.address)] = {**account, "balance": HOLDS}
        genesis = PyEVMBackend.generate_genesis_params(overrides={"gas_limit": GAS_LIMIT})
        self._backend = PyEVMBackend(
            genesis_parameters=genesis, genesis_state=state, vm_configuration=((0, _SAME_SECOND_VM),)
        )
        self._chain = self._backend.chain
        self._chain.chain_id = chain_id
        self._lock = threading.RLock()
        self._offset = 0
        self._blocks: list[JsonObject] = [wire.block_json(self._chain.get_canonical_block_by_number(0), [])]
        self._numbers: dict[str, int] = {self._blocks[0]["hash"]: 0}
        self._transactions: dict[str, JsonObject] = {}
        self._receipts: dict[str, JsonObject] = {}
        self._methods = self._method_table()

    def handle(self, request: Any) -> Any:
        """Answer one decoded JSON-RPC request or a batch; errors come back as JSON-RPC errors, never raised."""
        if isinstance(request, list):
            return [self.handle(inner) for inner in request]
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "invalid request"}}
        reply = {"jsonrpc": "2.0", "id": request.get("id")}
        try:
            return {**reply, "result": self.rpc(request["method"], list(request.get("params") or []))}
        except RpcError as error:
            return {**reply, "error": error.body()}
        except Exception as error:  # a node answers every request
            return {**reply, "error": {"code": -32603, "message": f"{type(error).__name__}: {error}"}}

    def rpc(self, method: str, params: list[Any]) -> Any:
        """Call one method; raises RpcError."""
        call = self._methods.get(method)
        if call is None:
            raise RpcError(-32601, f"the method {method} does not exist")
        with self._lock:
            return call(*params)

    def _fund(self, to: Any, *wei: Any) -> str:
        """`devnet_fund`: coins of the faucet, for keys that were made after genesis."""
        return self._faucet.fund(self.rpc, to, *wei[:1])

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks without transactions."""
        with self._lock:
            for _ in range(blocks):
                self._set_clock()
                self._mine_pending(None)

    def increase_time(self, seconds: int) -> int:
        """Move the clock of later blocks forward; returns the whole offset to wall clock in seconds."""
        with self._lock:
            self._offset += int(seconds)
            return self._offset

    def _now(self) -> int:
        return max(int(time.time()) + self._offset, int(self._blocks[-1]["timestamp"], 16))

    def _set_clock(self) -> None:
        self._chain.set_header_timestamp(self._now())

    def _mine_pending(self, computation: Any) -> None:
        self._backend.mine_blocks(1)
        number = len(self._blocks)
        block = self._chain.get_canonical_block_by_number(number)
        receipts = block.get_receipts(self._chain.chaindb)
        transactions = [wire.transaction_json(block, tx, i) for i, tx in enumerate(block.transactions)]
        for i, (tx, receipt) in enumerate(zip(block.transactions, receipts, strict=True)):
            self._transactions[transactions[i]["hash"]] = transactions[i]
            self._receipts[transactions[i]["hash"]] = wire.receipt_json(block, tx, receipt, i, computation)
        body = wire.block_json(block, transactions)
        self._blocks.append(body)
        self._numbers[body["hash"]] = number

    def _number(self, tag: Any) -> int:
        if tag in (None, "latest", "pending", "safe", "finalized"):
            return len(self._blocks) - 1
        if isinstance(tag, Mapping):
            tag = tag.get("blockNumber") or self._numbers.get(str(tag.get("blockHash")), -1)
        number = 0 if tag == "earliest" else tag if isinstance(tag, int) else int(tag, 16)
        if not 0 <= number < len(self._blocks):
            raise RpcError(-32000, "header not found")
        return int(number)

    def _vm(self, tag: Any, free: bool = False) -> Any:
        number = self._number(tag)
        if number == len(self._blocks) - 1:
            self._set_clock()
            header = self._chain.header
        else:
            header = self._chain.get_canonical_block_header_by_number(number)
        return self._chain.get_vm(header.copy(base_fee_per_gas=0) if free else header)

    def _execute(self, call: Mapping[str, Any], tag: Any, gas: int) -> Any:
        state = self._vm(tag, free=True).state
        sender = to_canonical_address(call["from"]) if call.get("from") else _NOBODY
        unsigned = self._chain.create_unsigned_transaction(
            nonce=state.get_nonce(sender),
            gas_price=state.base_fee,
            gas=gas,
            value=wire.integer(call.get("value")),
            to=to_canonical_address(call["to"]) if call.get("to") else b"",
            data=wire.octets(call.get("data") or call.get("input")),
        )
        try:
            return state.costless_execute_transaction(SpoofTransaction(unsigned, from_=sender))
        except Exception as error:
            raise RpcError(-32000, str(error)) from error

    def _call(self, call: Mapping[str, Any], tag: Any = "latest", *_: Any) -> str:
        computation = self._execute(call, tag, min(wire.integer(call.get("gas")) or GAS_LIMIT, GAS_LIMIT))
        wire.raise_if_reverted(computation)
        return to_hex(computation.output)

    def _estimate_gas(self, call: Mapping[str, Any], tag: Any = "latest", *_: Any) -> str:
        computation = self._execute(call, tag, GAS_LIMIT)
        wire.raise_if_reverted(computation)
        intrinsic = 21_000 + 16 * len(wire.octets(call.get("data") or call.get("input")))
        used = int(computation.get_gas_used()) + intrinsic
        # calls pass on 63/64 of their gas and refunds come last: a quarter and a half more covers both
        limit = used * 3 // 2 + (2_000_000 if not call.get("to") else 30_000)
        while limit < GAS_LIMIT and self._execute(call, tag, limit - intrinsic).is_error:
            limit *= 2  # a contract that asks how much is left wants more than it uses
        return hex(min(limit, GAS_LIMIT))

    def _send_raw(self, raw: str) -> str:
        try:
            transaction = self._chain.get_vm().get_transaction_builder().decode(wire.octets(raw))
        except Exception as error:
            raise RpcError(-32602, f"not a transaction: {error}") from error
        expected = self._vm("latest").state.get_nonce(transaction.sender)
        if transaction.nonce != expected:
            word = "low" if transaction.nonce < expected else "high"
            raise RpcError(-32000, f"nonce too {word}: next nonce {expected}, tx nonce {transaction.nonce}")
        if getattr(transaction, "chain_id", self._chain.chain_id) != self._chain.chain_id:
            raise RpcError(-32000, "invalid chain id for signer")
        self._set_clock()
        try:
            _, _, computation = self._chain.apply_transaction(transaction)
        except Exception as error:
            raise RpcError(-32000, str(error)) from error
        self._mine_pending(computation)
        return to_hex(transaction.hash)

    def _block(self, number: int | None, full: bool) -> JsonObject | None:
        if number is None or not 0 <= number < len(self._blocks):
            return None
        block = self._blocks[number]
        return block if full else {**block, "transactions": [t["hash"] for t in block["transactions"]]}

    def _block_by_number(self, tag: Any, full: bool = False) -> JsonObject | None:
        try:
            return self._block(self._number(tag), full)
        except RpcError:
            return None

    def _logs(self, query: Mapping[str, Any]) -> list[JsonObject]:
        if query.get("blockHash"):
            first = last = self._numbers.get(query["blockHash"], -1)
        else:
            first = self._number(query.get("fromBlock"))
            to = query.get("toBlock")
            ahead = isinstance(to, str) and to.startswith("0x") and int(to, 16) >= len(self._blocks)
            last = len(self._blocks) - 1 if ahead else self._number(to)
        hashes = [t["hash"] for n in range(max(first, 0), last + 1) for t in self._blocks[n]["transactions"]]
        return [log for h in hashes for log in self._receipts[h]["logs"] if wire.log_matches(log, query)]

    def _fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> JsonObject:
        last = self._number(newest)
        blocks = self._blocks[max(0, last + 1 - wire.integer(count)) : last + 1]
        fees = [b["baseFeePerGas"] for b in blocks]
        return {
            "oldestBlock": blocks[0]["number"],
            "baseFeePerGas": [*fees, fees[-1]],
            "gasUsedRatio": [int(b["gasUsed"], 16) / GAS_LIMIT for b in blocks],
            "reward": [[hex(10**9)] * len(percentiles or []) for _ in blocks],
        }

    def _evm_mine(self, *_: Any) -> str:
        self.mine()
        return "0x0"

    def _method_table(self) -> dict[str, Callable[..., Any]]:
        def state(tag: Any) -> Any:
            return self._vm(tag).state

        address = to_canonical_address
        return {
            "web3_clientVersion": lambda: "commonweight-devnet/py-evm",
            "net_version": lambda: str(self._chain.chain_id),
            "net_listening": lambda: True,
            "eth_chainId": lambda: hex(self._chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": lambda: [],
            "eth_blockNumber": lambda: hex(len(self._blocks) - 1),
            "eth_gasPrice": lambda: hex(int(self._blocks[-1]["baseFeePerGas"], 16) + 10**9),
            "eth_maxPriorityFeePerGas": lambda: hex(10**9),
            "eth_feeHistory": self._fee_history,
            "eth_getBalance": lambda a, tag="latest": hex(state(tag).get_balance(address(a))),
            "eth_getTransactionCount": lambda a, tag="latest": hex(state(tag).get_nonce(address(a))),
            "eth_getCode": lambda a, tag="latest": to_hex(state(tag).get_code(address(a))),
            "eth_getStorageAt": lambda a, slot, tag="latest": (
                f"0x{state(tag).get_storage(address(a), wire.integer(slot)):064x}"
            ),
            "eth_call": self._call,
            "eth_estimateGas": self._estimate_gas,
            "eth_sendRawTransaction": self._send_raw,
            "eth_getTransactionByHash": lambda h: self._transactions.get(h),
            "eth_getTransactionReceipt": lambda h: self._receipts.get(h),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": lambda h, full=False: self._block(self._numbers.get(h), full),
            "eth_getLogs": self._logs,
            "evm_increaseTime": lambda seconds: hex(self.increase_time(wire.integer(seconds))),
            "evm_mine": self._evm_mine,
            "devnet_fund": self._fund,
        }
