"""Events of a contract from a block on, in the order of the chain; final ones are read once."""

from __future__ import annotations

from collections.abc import Sequence

from web3.contract import Contract
from web3.types import EventData

from contracts.chain.event_table import EventTable
from contracts.errors import BadField
from contracts.evm.log_ranges import Wanted, logs, pieces
from contracts.ids import to_hex


class EventHistory:
    """Some events of a contract from block `first` on: that of its making, or of its model's."""

    def __init__(self, contract: Contract, names: Sequence[str], first: int, indexed: Sequence[bytes] = ()) -> None:
        """`indexed` are the values that the first indexed arguments must have."""
        self._w3, self._next, self._table = contract.w3, first, EventTable(contract, names)
        topics: tuple[str | list[str], ...] = (self._table.hexes(), *(to_hex(value) for value in indexed))
        self._wanted = Wanted((contract.address,), topics)
        self._final: list[EventData] = []

    def until(self, block: int | None = None) -> list[EventData]:
        """All up to the end of `block`, or of the newest for None.

        Raises BadField for a block that does not exist, ChainUnfit and LogsRefused.
        """
        if block is None or block >= self._next:
            head = int(self._w3.eth.block_number)
            block = head if block is None else block
            if block > head:
                raise BadField(f"block must exist: {block} is past {head}, the chain's newest")
            self._keep(min(block, int(self._w3.eth.get_block("finalized")["number"])))
        final = [event for event in self._final if event["blockNumber"] <= block]
        rest = logs(self._w3, self._wanted, self._next, block)  # it may still be replaced by a reorg
        return [*final, *map(self._table.decode, rest)]

    def _keep(self, last: int) -> None:
        """Read piece by piece: events that were read are kept where a later piece fails."""
        for piece in pieces(self._w3, self._wanted, self._next, last):
            self._final += map(self._table.decode, piece.logs)
            self._next = piece.last + 1
