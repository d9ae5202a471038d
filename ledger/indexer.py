"""From the chain only through here: final blocks, in order, each read once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hexbytes import HexBytes
from sqlmodel import Session
from web3 import Web3
from web3.contract.contract import ContractEvent

from contracts.chain import contract_at
from ledger import appeals, epochs
from ledger.errors import FinalityViolated
from ledger.service import Ledger
from ledger.tables import ChainEvent, Cursor, DecisionRow

FOLLOWED: dict[str, tuple[str, ...]] = {
    "ModelToken": ("Minted", "Transfer"),
    "ModelRegistry": ("Decision",),
    "VerifierRegistry": ("EpochProposed", "EpochChallenged", "EpochFinalized", "AppealOpened", "NodeStakeChanged"),
    "ModelGovernor": ("ProposalCreated", "VoteCast", "ProposalExecuted"),
}
BATCH = 500


def follow(ledger: Ledger) -> None:
    """Read final blocks from the cursor on; events and cursor move in one transaction. Raises FinalityViolated."""
    final = ledger.chain.final()
    with ledger.store.read() as session:
        cursor = session.get(Cursor, "final")
    if cursor is not None and "0x" + ledger.chain.block_hash(cursor.block).hex() != cursor.hash:
        raise FinalityViolated(f"block {cursor.block} was final as {cursor.hash} and is another now")
    first = cursor.block + 1 if cursor else ledger.chain.deployment.block
    last = min(final, first + BATCH - 1)
    if last < first:
        return
    events = _events(ledger, first, last)
    tip = "0x" + ledger.chain.block_hash(last).hex()
    with ledger.store.write() as session:
        moved = session.get(Cursor, "final")
        if (moved.block + 1 if moved else first) != first:
            return  # another indexer was faster
        for event in sorted(events, key=lambda e: (e.block, e.log_index)):
            session.add(event)
            _apply(ledger, session, event)
        session.merge(Cursor(name="final", block=last, hash=tip))


def _events(ledger: Ledger, first: int, last: int) -> list[ChainEvent]:
    """One request for all followed contracts; what they log beside FOLLOWED passes unread."""
    known = _decoders(ledger)
    query: Any = {"address": sorted({address for address, _ in known}), "fromBlock": first, "toBlock": last}
    found: list[ChainEvent] = []
    for entry in ledger.chain.w3.eth.get_logs(query):
        topic = bytes(entry["topics"][0]) if entry["topics"] else b""
        if (decoder := known.get((entry["address"], topic))) is None:
            continue
        contract, event = decoder
        found.append(
            ChainEvent(
                block=entry["blockNumber"], log_index=entry["logIndex"], contract=contract, name=event.event_name,
                transaction=entry["transactionHash"].to_0x_hex(),
                arguments=_plain(dict(event.process_log(entry)["args"])),
            )
        )  # fmt: skip
    return found


def _decoders(ledger: Ledger) -> dict[tuple[str, bytes], tuple[str, ContractEvent]]:
    """(address, first topic) to the contract's name and the event that decodes the log."""
    place = ledger.chain.deployment
    addresses = {
        "ModelToken": place.token,
        "ModelRegistry": place.model_registry,
        "VerifierRegistry": place.verifier_registry,
        "ModelGovernor": place.governor,
    }
    return {
        (addresses[name], bytes.fromhex(event.topic[2:])): (name, event)
        for name in FOLLOWED
        for event in _followed(ledger.chain.w3, name, addresses[name])
    }


@lru_cache(maxsize=64)
def _followed(w3: Web3, name: str, address: str) -> tuple[ContractEvent, ...]:
    contract = contract_at(w3, name, address)
    return tuple(contract.events[event]() for event in FOLLOWED[name])


def _apply(ledger: Ledger, session: Session, event: ChainEvent) -> None:
    if event.name == "Minted":
        epochs.record_mint(ledger, session, event.arguments["receipt"])
    if event.name == "Decision" and event.arguments["model"] == ledger.chain.deployment.model:
        said = event.arguments
        session.add(
            DecisionRow(sequence=int(said["sequence"]), key=said["key"], value=said["value"], block=event.block)
        )
    if event.name == "AppealOpened":
        appeals.begin(ledger, session, event.arguments["proof"], event.arguments["appellant"])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return HexBytes(value).to_0x_hex()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
