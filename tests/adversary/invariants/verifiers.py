"""I3: no verifier that did its work loses stake."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.protocol.judge.chain_events import VerifierStands
from contracts.protocol.judge.entries import Fault
from tests.adversary.invariants.causes_words import stood_unserved
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import Reading

ABOUT_WORDS = frozenset({Fault.FALSE_WORD, Fault.PASSED_A_FAKE, Fault.TWO_WORDS, Fault.WRONG_TRACE})
"""What no honest verifier does, whether it is always up or not."""


def present_without_fault(reading: Reading) -> Iterator[Breach]:
    """Under the premise: a present honest verifier has no fault of any kind."""
    for run in reading.runs.values():
        for index, fault in run.verifier_faults:
            if reading.premise and fault.verifier in reading.history.present:
                yield index, f"the present honest {fault.verifier} has the fault {fault.fault}"


def honest_without_false_words(reading: Reading) -> Iterator[Breach]:
    """With fewer than k corrupt: an honest one, present or not, has no fault about what it said."""
    covered = reading.history.present if reading.premise else frozenset[str]()
    for run in reading.runs.values():
        for index, fault in run.verifier_faults:
            honest = fault.verifier in reading.history.honest and fault.verifier not in covered
            if reading.safe and honest and fault.fault in ABOUT_WORDS:
                yield index, f"the honest {fault.verifier} has the fault {fault.fault}"


def honest_is_not_overruled(reading: Reading) -> Iterator[Breach]:
    """With fewer than k corrupt: an honest one is overruled only where work is beyond some limits (bounded runs) or
    takes periods to replay, or where it is not present and had no bytes for a period after k had them."""
    if not reading.safe:
        return
    for run in reading.runs.values():
        for index, overruled in run.overruled:
            work, proof = reading.history.work.get(overruled.proof), reading.proof(overruled.proof)
            ordinary = work is None or not (work.drifts or work.heavy)
            honest = overruled.verifier in reading.history.honest and ordinary
            present = reading.premise and overruled.verifier in reading.history.present
            stood = {name for segment in proof.decided for name in stood_unserved(proof, segment[1].segment, index)}
            if honest and (present or overruled.verifier not in stood):
                yield index, f"the honest {overruled.verifier} is overruled about {overruled.proof}"


def present_keeps_its_stake(reading: Reading) -> Iterator[Breach]:
    """Under the premise: the chain slashes no present honest verifier."""
    for index, stands in reading.events[VerifierStands]:
        if reading.premise and stands.slashed and stands.verifier in reading.history.present:
            yield index, f"the present honest {stands.verifier} was slashed"


INVARIANT = Invariant(
    "I3", (present_without_fault, honest_without_false_words, honest_is_not_overruled, present_keeps_its_stake)
)
check = INVARIANT.check
