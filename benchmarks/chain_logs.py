"""How fast logs are read from a chain and decoded: by web3's process_log, as before, and by tables made once.

    python -m benchmarks.chain_logs [--logs N]

The chain is a stand-in that answers at once, so that what is measured is ours. Both ways read the same answer in turns,
five times; the median counts.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping
from typing import Any, cast

from eth_abi.abi import encode
from web3 import Web3

from benchmarks.record import cpu_seconds, write_result
from contracts.chain.connection import connect_devnet, contract_at
from contracts.chain.event_table import EventTable
from contracts.evm.log_ranges import Wanted, logs
from contracts.ids import as_address, to_hex

ADDRESS = as_address("0x" + "11" * 20)
TURNS = 5
Work = Callable[[], object]


class Stakes:
    """A chain of `count` changes of node stakes, a hundred in each block."""

    def __init__(self, count: int) -> None:
        topic = contract_at(connect_devnet(cast(Any, self)), "VerifierRegistry", ADDRESS).events.NodeStakeChanged.topic
        self.logs = [_log(topic, number) for number in range(count)]

    def handle(self, request: Mapping[str, Any]) -> Any:
        """All that lies in the range."""
        first, last = (int(request["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
        return {"jsonrpc": "2.0", "id": request["id"], "result": self.logs[100 * first : 100 * (last + 1)]}


def _log(topic: str, number: int) -> dict[str, Any]:
    node = encode(["uint256"], [number % 50])
    return {
        "address": ADDRESS,
        "topics": [topic, to_hex(node)],
        "data": f"0x{number:064x}",
        "removed": False,
        "blockNumber": hex(number // 100),
        "logIndex": hex(number % 100),
        "blockHash": f"0x{number // 100:064x}",
        "transactionHash": f"0x{number:064x}",
        "transactionIndex": "0x0",
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=5_000)
    count = parser.parse_args().logs
    w3: Web3 = connect_devnet(cast(Any, Stakes(count)))
    contract = contract_at(w3, "VerifierRegistry", ADDRESS)
    table, event = EventTable(contract, ["NodeStakeChanged"]), contract.events.NodeStakeChanged()
    wanted, last = Wanted((ADDRESS,), (table.hexes(),)), count // 100
    read = list(logs(w3, wanted, 0, last))
    assert [event.process_log(log) for log in read] == [table.decode(log) for log in read]
    found = {
        "decoded by process_log": lambda: [event.process_log(log) for log in read],
        "decoded by a table": lambda: [table.decode(log) for log in read],
        "read and decoded by process_log": lambda: [event.process_log(log) for log in logs(w3, wanted, 0, last)],
        "read and decoded by a table": lambda: [table.decode(log) for log in logs(w3, wanted, 0, last)],
    }
    rates = {name: round(count / seconds) for name, seconds in _medians(found).items()}
    for name, rate in rates.items():
        print(f"{name:34} {rate:8,} logs a second", flush=True)
    write_result("chain_logs", {"logs": count, "logs a second": rates})


def _medians(works: Mapping[str, Work]) -> dict[str, float]:
    """Seconds of each, in turns, so that what else the machine does hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(TURNS):
        for name, work in works.items():
            times[name].append(cpu_seconds(work))
    return {name: statistics.median(taken) for name, taken in times.items()}


if __name__ == "__main__":
    main()
