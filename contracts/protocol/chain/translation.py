"""A model's logs as events of the machine: what stands after each, never a difference (J14, J17, J19, J20)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from contracts.ids import Address, ProofId, as_address, to_hex
from contracts.protocol.chain.logs import DecodedLog
from contracts.protocol.faults import fault_evidence
from contracts.protocol.judge.chain_events import (
    ChainEvent,
    Decided,
    EpochFinal,
    EpochLapsed,
    EpochLimit,
    EpochStruck,
    NodeSlashed,
    NodeStake,
    Quorum,
    VerifierSlashed,
    VerifierStands,
)
from contracts.protocol.judge.state import State

Arguments = Mapping[str, Any]


class Translation:
    """From a state on: each verifier's standing is carried from log to log. `least_stake` (wei) is the registry's.

    Of a node's stakes only the last one is an event, and none where the stake is unchanged: a node that stakes nothing,
    or one wei a thousand times, would else fill the log of everybody for the price of gas.
    """

    def __init__(self, state: State, least_stake: int) -> None:
        self._least = least_stake
        self._verifiers = {
            name: VerifierStands(name, verifier.admitted, verifier.stake, verifier.slashed)
            for name, verifier in state.verifiers.items()
        }
        self._faults = {
            (party, fault_evidence(proof, fault)): (proof, fault) for proof, party, fault in state.faults if fault
        }
        self._stakes = state.stakes
        self._lapsed: tuple[int, int] | None = None

    def of(self, logs: Iterable[DecodedLog]) -> tuple[ChainEvent, ...]:
        """The events, in the order of the logs."""
        events: dict[int, ChainEvent] = {}
        latest: dict[str, int] = {}
        for number, event in enumerate(event for log in logs for event in _HANDLERS[log.name](self, log.arguments)):
            if isinstance(event, NodeStake):
                events.pop(latest.get(event.node, -1), None)
                latest[event.node] = number
            events[number] = event
        return tuple(event for event in events.values() if not self._is_known(event))

    def _is_known(self, event: ChainEvent) -> bool:
        return isinstance(event, NodeStake) and event.stake == self._stakes.get(event.node, 0)

    def _quorum(self, arguments: Arguments) -> Iterator[ChainEvent]:
        yield Quorum(int(arguments["threshold"]), self._least)

    def _limit(self, arguments: Arguments) -> Iterator[ChainEvent]:
        yield EpochLimit(int(arguments["maxEpochTotal"]))

    def _admitted(self, arguments: Arguments) -> Iterator[ChainEvent]:
        current = self._current(arguments)
        yield self._stands(current.verifier, True, current.stake, current.slashed)

    def _removed(self, arguments: Arguments) -> Iterator[ChainEvent]:
        current = self._current(arguments)
        yield self._stands(current.verifier, False, current.stake, current.slashed)

    def _staked(self, arguments: Arguments) -> Iterator[ChainEvent]:
        current = self._current(arguments)
        stake = int(arguments["stake"])
        yield self._stands(current.verifier, current.admitted, stake, current.slashed)

    def _unstaked(self, arguments: Arguments) -> Iterator[ChainEvent]:
        """The verifier took its last stake: from here on no fault keeps it below the least stake."""
        current = self._current(arguments)
        yield self._stands(current.verifier, current.admitted, 0, False)

    def _taken(self, arguments: Arguments) -> Iterator[ChainEvent]:
        """A verifier that was below the least stake by its own choice did not fall through this fault."""
        current = self._current(arguments)
        stake = int(arguments["stake"])
        had = stake + int(arguments["amount"])
        yield self._stands(current.verifier, current.admitted, stake, current.slashed or had >= self._least)

    def _punished(self, arguments: Arguments) -> Iterator[ChainEvent]:
        """Evidence that fits no fault in the log slashes no fault, but the stake is gone."""
        yield from self._taken(arguments)
        verifier = as_address(arguments["verifier"])
        fault = self._faults.get((verifier, bytes(arguments["evidence"])))
        if fault is not None:
            yield VerifierSlashed(fault[0], verifier, fault[1])

    def _node_stake(self, arguments: Arguments) -> Iterator[ChainEvent]:
        yield NodeStake(as_address(str(arguments["node"])), int(arguments["stake"]))

    def _node_slashed(self, arguments: Arguments) -> Iterator[ChainEvent]:
        yield NodeSlashed(ProofId(to_hex(arguments["proof"])))

    def _decided(self, arguments: Arguments) -> Iterator[ChainEvent]:
        yield Decided(int(arguments["sequence"]), str(arguments["key"]), str(arguments["value"]))

    def _final(self, arguments: Arguments) -> Iterator[ChainEvent]:
        yield EpochFinal(int(arguments["epoch"]), int(arguments["attempt"]), to_hex(arguments["root"]))

    def _dispute_lapsed(self, arguments: Arguments) -> Iterator[ChainEvent]:
        """`EpochRejected` follows in the same call."""
        self._lapsed = (int(arguments["epoch"]), int(arguments["attempt"]))
        yield from ()

    def _rejected(self, arguments: Arguments) -> Iterator[ChainEvent]:
        """Each attempt falls once: struck down by holders, or with a dispute that nobody decided."""
        fallen = (int(arguments["epoch"]), int(arguments["attempt"]))
        yield EpochLapsed(*fallen) if fallen == self._lapsed else EpochStruck(*fallen)

    def _current(self, arguments: Arguments) -> VerifierStands:
        name = as_address(arguments["verifier"])
        return self._verifiers.get(name, VerifierStands(name, False, 0))

    def _stands(self, name: Address, admitted: bool, stake: int, fell: bool) -> VerifierStands:
        self._verifiers[name] = VerifierStands(name, admitted, stake, fell and stake < self._least)
        return self._verifiers[name]


_HANDLERS: dict[str, Callable[[Translation, Arguments], Iterator[ChainEvent]]] = {
    "ThresholdSet": Translation._quorum,
    "MaxEpochTotalSet": Translation._limit,
    "VerifierAdmitted": Translation._admitted,
    "VerifierRemoved": Translation._removed,
    "Staked": Translation._staked,
    "Unstaked": Translation._unstaked,
    "Slashed": Translation._taken,
    "Punished": Translation._punished,
    "NodeStakeChanged": Translation._node_stake,
    "NodeSlashed": Translation._node_slashed,
    "Decision": Translation._decided,
    "EpochFinalized": Translation._final,
    "DisputeLapsed": Translation._dispute_lapsed,
    "EpochRejected": Translation._rejected,
}
