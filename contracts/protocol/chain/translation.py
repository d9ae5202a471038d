"""A model's logs as events of the machine: what stands after each, never a difference (J14, J17, J19, J20)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from contracts.ids import Address, ProofId, as_address, to_hex
from contracts.protocol.chain.logs import Said
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
    """From a state on: who stands how is carried from log to log. `least_stake` (wei) is the registry's.

    Of a node's stakes only the last one is an event, and none where it is what it was: whoever stakes nothing, or one
    wei a thousand times, would else fill the log of everybody for the price of gas.
    """

    def __init__(self, state: State, least_stake: int) -> None:
        self._least = least_stake
        self._verifiers = {
            name: VerifierStands(name, known.admitted, known.stake, known.slashed)
            for name, known in state.verifiers.items()
        }
        self._faults = {
            (party, fault_evidence(proof, fault)): (proof, fault) for proof, party, fault in state.faults if fault
        }
        self._stakes = state.stakes
        self._lapsed: tuple[int, int] | None = None

    def of(self, logs: Iterable[Said]) -> tuple[ChainEvent, ...]:
        """The events, in the order of the logs."""
        events: dict[int, ChainEvent] = {}
        last: dict[str, int] = {}
        for number, event in enumerate(event for said in logs for event in _SAYS[said.name](self, said.arguments)):
            if isinstance(event, NodeStake):
                events.pop(last.get(event.node, -1), None)
                last[event.node] = number
            events[number] = event
        return tuple(event for event in events.values() if not self._is_known(event))

    def _is_known(self, event: ChainEvent) -> bool:
        return isinstance(event, NodeStake) and event.stake == self._stakes.get(event.node, 0)

    def _quorum(self, said: Arguments) -> Iterator[ChainEvent]:
        yield Quorum(int(said["threshold"]), self._least)

    def _limit(self, said: Arguments) -> Iterator[ChainEvent]:
        yield EpochLimit(int(said["maxEpochTotal"]))

    def _admitted(self, said: Arguments) -> Iterator[ChainEvent]:
        known = self._known(said)
        yield self._stands(known.verifier, True, known.stake, known.slashed)

    def _removed(self, said: Arguments) -> Iterator[ChainEvent]:
        known = self._known(said)
        yield self._stands(known.verifier, False, known.stake, known.slashed)

    def _staked(self, said: Arguments) -> Iterator[ChainEvent]:
        known = self._known(said)
        stake = int(said["stake"])
        yield self._stands(known.verifier, known.admitted, stake, known.slashed)

    def _unstaked(self, said: Arguments) -> Iterator[ChainEvent]:
        """It took home what was left: from here on no fault keeps it below the least stake."""
        known = self._known(said)
        yield self._stands(known.verifier, known.admitted, 0, False)

    def _taken(self, said: Arguments) -> Iterator[ChainEvent]:
        """Who was below the least stake by its own choice did not fall through this fault."""
        known = self._known(said)
        stake = int(said["stake"])
        had = stake + int(said["amount"])
        yield self._stands(known.verifier, known.admitted, stake, known.slashed or had >= self._least)

    def _punished(self, said: Arguments) -> Iterator[ChainEvent]:
        """Evidence of no fault that the log holds is no fault's slash, but the stake is gone."""
        yield from self._taken(said)
        verifier = as_address(said["verifier"])
        found = self._faults.get((verifier, bytes(said["evidence"])))
        if found is not None:
            yield VerifierSlashed(found[0], verifier, found[1])

    def _node_stake(self, said: Arguments) -> Iterator[ChainEvent]:
        yield NodeStake(as_address(str(said["node"])), int(said["stake"]))

    def _node_slashed(self, said: Arguments) -> Iterator[ChainEvent]:
        yield NodeSlashed(ProofId(to_hex(said["proof"])))

    def _decided(self, said: Arguments) -> Iterator[ChainEvent]:
        yield Decided(int(said["sequence"]), str(said["key"]), str(said["value"]))

    def _final(self, said: Arguments) -> Iterator[ChainEvent]:
        yield EpochFinal(int(said["epoch"]), int(said["attempt"]), to_hex(said["root"]))

    def _dispute_lapsed(self, said: Arguments) -> Iterator[ChainEvent]:
        """`EpochRejected` follows in the same call."""
        self._lapsed = (int(said["epoch"]), int(said["attempt"]))
        yield from ()

    def _rejected(self, said: Arguments) -> Iterator[ChainEvent]:
        """Each attempt falls once: struck down by holders, or with a dispute that nobody decided."""
        fallen = (int(said["epoch"]), int(said["attempt"]))
        yield EpochLapsed(*fallen) if fallen == self._lapsed else EpochStruck(*fallen)

    def _known(self, said: Arguments) -> VerifierStands:
        name = as_address(said["verifier"])
        return self._verifiers.get(name, VerifierStands(name, False, 0))

    def _stands(self, name: Address, admitted: bool, stake: int, fell: bool) -> VerifierStands:
        self._verifiers[name] = VerifierStands(name, admitted, stake, fell and stake < self._least)
        return self._verifiers[name]


_SAYS: dict[str, Callable[[Translation, Arguments], Iterator[ChainEvent]]] = {
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
