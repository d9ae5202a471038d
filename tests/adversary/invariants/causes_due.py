"""I8: what the words and lapses of a log cost a verifier stands in it: each lie, each silence, each wrong trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from contracts.protocol.judge.entries import Fault, Lapsed
from contracts.protocol.judge.facts import What, Word
from tests.adversary.invariants.causes_words import others_did, stood_unserved
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Proof, effective

EVER = 1 << 60


def _standing(proof: Proof, segment: int) -> dict[str, Word]:
    """Verifier → its word on a segment: its first, or what replaced an `unserved`, whenever it came."""
    found: dict[str, Word] = {}
    for (verifier, number), words in proof.words.items():
        said = effective(words, EVER) if number == segment else None
        if said is not None:
            found[verifier] = said.word
    return found


def _contradicted(proof: Proof, k: int) -> Iterator[tuple[int, str, Word]]:
    """Who said otherwise than k equal words, by the index of the decision."""
    for at, decided in proof.decided:
        words = _standing(proof, decided.segment)
        count = Counter(words.values())
        by_k = max(count[Word.FALSE], count[Word.DRIFT]) >= k
        against = {Word.FALSE, Word.DRIFT} if decided.true else {Word.TRUE} if by_k else set()
        yield from ((at, verifier, word) for verifier, word in words.items() if word in against)


def the_bench_overrules(reading: Reading) -> Iterator[Breach]:
    """Whoever said otherwise than k equal words is overruled, and whose `unserved` stood after k had the bytes."""
    for proof, committed, round_ in reading.committed():
        overruled = {e.verifier for _, e in reading.run(committed.run).overruled if e.proof == proof.name}
        for index, verifier, _ in _contradicted(proof, round_.k) if proof.decided and not reading.deviations else ():
            if verifier not in overruled:
                yield index, f"{verifier} said otherwise than k about {proof.name} and is not overruled"
        for index, decided in proof.decided if not reading.deviations else ():
            for verifier in stood_unserved(proof, decided.segment, reading.length):
                if verifier not in overruled:
                    yield index, f"{verifier} had no bytes of {proof.name} for a period, and is not overruled"


def lies_are_faults(reading: Reading) -> Iterator[Breach]:
    """In bit-exact runs a false word, and a fake that was passed, are faults."""
    for proof, committed, round_ in reading.committed():
        terms = reading.terms(committed.run)
        if not proof.decided or terms is None or not terms.exact or reading.deviations:
            continue
        for index, verifier, word in _contradicted(proof, round_.k):
            decided = next(entry for at, entry in proof.decided if at == index)
            words = _standing(proof, decided.segment)
            passed = word is Word.TRUE and Counter(words.values())[Word.FALSE] >= round_.k
            fault = Fault.FALSE_WORD if word is Word.FALSE else Fault.PASSED_A_FAKE if passed else None
            if fault is not None and (verifier, fault) not in _faults(reading, proof, committed.run):
                yield index, f"{verifier} said {word} of {proof.name} against k words, and it is no fault"


def _faults(reading: Reading, proof: Proof, run: str) -> set[tuple[str, Fault]]:
    return {(e.verifier, e.fault) for _, e in reading.run(run).verifier_faults if e.proof == proof.name}


def two_words_are_a_fault(reading: Reading) -> Iterator[Breach]:
    """Two classes of word beside `unserved` by one verifier on one segment are a fault."""
    for proof, committed, _ in reading.committed():
        for (verifier, segment), words in proof.words.items() if not reading.deviations else ():
            if len(words) < 2:
                continue
            said = [(at, word.word) for at, word in words if word.word is not Word.UNSERVED]
            found = _faults(reading, proof, committed.run)
            if len({word for _, word in said}) > 1 and (verifier, Fault.TWO_WORDS) not in found:
                yield said[1][0], f"{verifier} said two things of segment {segment} of {proof.name}, and it is no fault"


def silence_is_a_fault(reading: Reading) -> Iterator[Breach]:
    """What was drawn and is missing after a second period is a fault, once a round, where k others had read all that
    was owed; so is a trace."""
    for index, lapsed in reading.lapsed if not reading.deviations else ():
        awaited = lapsed.awaited
        if lapsed.period != 2 or awaited.what not in (What.WORDS, What.TRACE):
            continue
        if awaited.what is What.WORDS and not others_did(
            reading.proof(awaited.proof), awaited.party, index, reading.round((awaited.run, awaited.round)).k
        ):
            continue
        faults = [fault for _, fault in reading.run(awaited.run).verifier_faults if fault.verifier == awaited.party]
        silent = any(f.fault is Fault.FELL_SILENT and f.round == awaited.round for f in faults)
        withheld = any(f.fault is Fault.TRACE_WITHHELD and f.proof == awaited.proof for f in faults)
        if not (silent if awaited.what is What.WORDS else withheld):
            yield index, f"{awaited} lapsed twice, and it is no fault"


def _owes_what_it_drew(proof: Proof, party: str, before: int) -> bool:
    """Whether there is something that it drew, could read and has said nothing about."""
    ready = any(entry.verifier == party and at < before for at, entry in proof.openings)
    drawn = proof.draws(before).get(party, ()) if ready else ()
    return any(proof.word(party, segment, before) is None for segment in drawn)


def silence_is_pursued(reading: Reading) -> Iterator[Breach]:
    """By the end of a history, who drew and fell silent has spoken or lapsed again; so has who kept a trace back."""
    for index, lapsed in reading.lapsed if reading.premise and reading.complete else ():
        what, party = lapsed.awaited.what, lapsed.awaited.party
        if lapsed.period != 1 or what not in (What.WORDS, What.TRACE):
            continue
        proof = reading.proof(lapsed.awaited.proof)
        again = any(other.awaited == lapsed.awaited and other.period == 2 for _, other in proof.lapsed)
        if not again and not _came(proof, what, party, lapsed, index):
            yield index, f"{lapsed.awaited} lapsed once, and nothing came of it"


def _came(proof: Proof, what: What, party: str, lapsed: Lapsed, index: int) -> bool:
    if what is What.TRACE:
        return party not in proof.sealed or any(shown.verifier == party for _, shown in proof.traces)
    return not _owes_what_it_drew(proof, party, index) or not _owes_what_it_drew(proof, party, EVER)


def wrong_traces_are_a_fault(reading: Reading) -> Iterator[Breach]:
    """Where k traces are equal, another one is a fault."""
    for proof, committed, round_ in reading.committed():
        traces = Counter(shown.trace for _, shown in proof.traces)
        if len(traces) < 2 or reading.deviations:
            continue
        right = next((trace for trace, count in traces.items() if count >= round_.k), None)
        found = _faults(reading, proof, committed.run)
        for index, shown in proof.traces:
            wrong = right is not None and shown.trace != right
            if wrong and (shown.verifier, Fault.WRONG_TRACE) not in found:
                yield index, f"{shown.verifier} shows another trace of {proof.name} than k, and it is no fault"


CONDITIONS = (
    the_bench_overrules,
    lies_are_faults,
    two_words_are_a_fault,
    silence_is_a_fault,
    silence_is_pursued,
    wrong_traces_are_a_fault,
)
