"""An anvil of one's own: no automatic blocks, finality two epochs behind the head, reorgs on demand."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from requests.exceptions import ConnectionError as ChainUnreachable
from web3 import Web3

from commonweight.demo.processes import free_port
from contracts.chain.connection import connect
from contracts.process.spawner import die_with_parent

BINARY = Path(__file__).parent / "cross" / "node_modules" / ".bin" / "anvil"
START_SECONDS = 30.0


class Anvil:
    """A running anvil; `slots` are blocks of an epoch, so that `finalized` is 2 * slots behind. Use as a context.

    With `state` it goes on from that file, and keeps it there when it is told to end, or by `write`. It can be asked
    about its newest `history` blocks, reverted ones counted too. All of them stay in memory, 0.5 MB each with our
    contracts: a state that anvil 1.7.1 moved to the disk (its own default: after 500) comes back from a reorg
    without the contracts' code.
    """

    def __init__(self, slots: int = 4, state: Path | None = None, history: int = 10_000) -> None:
        self.slots, self._state, self._port = slots, state, free_port()
        self._history = history
        self.url = f"http://127.0.0.1:{self._port}"
        self.w3: Web3 = connect(self.url)

    def __enter__(self) -> Anvil:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            str(BINARY),
            "--port",
            str(self._port),
            "--slots-in-an-epoch",
            str(self.slots),
            "--no-mining",
            "--silent",
            "--preserve-historical-states",
            "--prune-history",
            str(self._history),
            *(() if self._state is None else ("--state", str(self._state))),
        ]
        self._process = subprocess.Popen(
            command, start_new_session=True, stdin=subprocess.DEVNULL, preexec_fn=partial(die_with_parent, os.getpid())
        )
        end = time.monotonic() + START_SECONDS
        while True:
            with suppress(ChainUnreachable):
                self.rpc("eth_blockNumber")
                return
            if time.monotonic() > end:
                raise TimeoutError("anvil does not answer")
            time.sleep(0.05)

    def write(self) -> None:
        """Write the chain as it stands into the file of `state`, whole or not at all; anvil's own dumps can tear."""
        assert self._state is not None
        made = self._state.with_suffix(".new")
        made.write_bytes(gzip.decompress(bytes.fromhex(self.rpc("anvil_dumpState", True)[2:])))
        made.replace(self._state)

    def kill(self) -> None:
        """SIGKILL, with its wrapper."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def rpc(self, method: str, *params: Any) -> Any:
        """One call; an error of anvil is a RuntimeError."""
        answer: Any = self.w3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def automine(self, on: bool) -> None:
        """Whether each transaction has a block at once."""
        self.rpc("evm_setAutomine", on)

    def mine(self, blocks: int = 1) -> None:
        """Blocks with what is in the pool."""
        for _ in range(blocks):
            self.rpc("evm_mine")

    def wait(self, seconds: int) -> None:
        """Move the chain's clock on."""
        self.rpc("evm_increaseTime", seconds)
        self.mine()

    def reorg(self, depth: int, transactions: list[tuple[str, int]] | None = None) -> None:
        """Replace the newest `depth` blocks by as many; `transactions` (raw, which of the new blocks) are in them."""
        self.rpc("anvil_reorg", depth, [list(pair) for pair in transactions or []])


def spend_nonce(anvil: Anvil, owner: LocalAccount, nonce: int, tip: int = 10**11) -> str:
    """Use a nonce of `owner` for a transfer of nothing; the hash of the transaction."""
    fields: Any = {
        "to": owner.address,
        "value": 0,
        "gas": 21_000,
        "nonce": nonce,
        "chainId": 31337,
        "type": 2,
        "maxFeePerGas": 10**12,
        "maxPriorityFeePerGas": tip,
    }
    signed = owner.sign_transaction(fields)
    anvil.rpc("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())
    return str(signed.hash.to_0x_hex())
