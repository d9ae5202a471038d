"""I8: why a segment goes to the bench, what decides it, and why a verifier is overruled or at fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from contracts.protocol.judge.entries import Fault, Lapsed, VerifierFault
from contracts.protocol.judge.facts import What, Word
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Proof, Round, earlier, stands_before


def benches_are_called_for_cause(reading: Reading) -> Iterator[Breach]:
    """A segment goes to the bench when one who drew it did not clear it, or an open pledge names it."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        for index, call in proof.benches:
            drawers = [verifier for verifier, drawn in proof.draws(index).items() if call.segment in drawn]
            named = any(pledge.fake == call.segment for pledge in earlier(proof.pledges, index))
            doubted = any(_doubts(round_, proof, verifier, call.segment, index) for verifier in drawers)
            if not drawers or not (named or doubted):
                yield index, f"segment {call.segment} of {proof.name} goes to the bench and nobody questions it"


def _doubts(round_: Round, proof: Proof, verifier: str, segment: int, before: int) -> bool:
    words = [(at, word) for at, word in proof.words.get((verifier, segment), []) if at < before]
    first = words[0][0] if words else before
    late = round_.lapsed_seat(proof, What.WORDS, verifier, first)
    return late or any(word.word is not Word.TRUE for _, word in words)


def benches_are_the_first(reading: Reading) -> Iterator[Breach]:
    """The bench over a segment is the first 2k - 1 of the order, or more of the same order."""
    for proof in reading.proofs.values():
        least = 2 * reading.round_of(proof).k - 1
        for index, call in proof.benches:
            order = next((panel.order for panel in earlier(proof.panels, index)), ())
            called = (c.members for c in earlier(proof.benches, index + 1) if c.segment == call.segment)
            members = {member for part in called for member in part}
            if members != set(order[: len(members)]) or len(members) < min(least, len(order)):
                yield index, f"the bench over segment {call.segment} of {proof.name} is {sorted(members)} of {order}"


def the_rest_come_last(reading: Reading) -> Iterator[Breach]:
    """More than the first 2k - 1 are called only when each of these has spoken or lapsed."""
    for proof in reading.proofs.values():
        round_, called = reading.round_of(proof), dict[int, set[str]]()
        for index, call in proof.benches:
            for name in called.get(call.segment, ()):
                said = stands_before(proof.words.get((name, call.segment), []), index)
                if not said and not _lapsed(round_, proof, name, index):
                    yield index, f"the rest are called to segment {call.segment} of {proof.name}, and {name} is awaited"
            called.setdefault(call.segment, set()).update(call.members)


def words_are_sealed(reading: Reading) -> Iterator[Breach]:
    """In bit-exact runs whoever replayed all that it drew has sealed a trace: the common segment is among it."""
    for proof, committed, _ in reading.committed():
        terms = reading.terms(committed.run)
        for index, drawn in proof.drawn if terms is not None and terms.exact else ():
            words = [proof.words.get((drawn.verifier, segment), []) for segment in drawn.segments]
            replayed = [[at for at, word in said if word.word is not Word.UNSERVED] for said in words]
            done = max((min(said, default=-1) for said in replayed), default=-1) if all(replayed) else -1
            early = any(min(said, default=0) < index for said in replayed)
            if done >= 0 and not early and proof.sealed.get(drawn.verifier, done + 1) > done:
                yield done, f"{drawn.verifier} read all that it drew of {proof.name} and sealed nothing"


def drift_only_within_limits(reading: Reading) -> Iterator[Breach]:
    """In bit-exact runs there is no word between true and false."""
    for proof, committed, _ in reading.committed():
        terms = reading.terms(committed.run)
        for (verifier, _segment), words in proof.words.items() if terms is not None and terms.exact else ():
            for index, word in words:
                if word.word is Word.DRIFT:
                    yield index, f"{verifier} calls a segment of {proof.name} drift in a bit-exact run"


def _counts(proof: Proof, segment: int, before: int) -> Counter[Word]:
    return Counter(word.word for word in proof.said(segment, before))


def second_looks_have_a_cause(reading: Reading) -> Iterator[Breach]:
    """A second look begins when neither `true` nor `false` alone makes k, and `false` and `unserved` do so together, or
    an `unserved` is left where all others of the bench are heard."""
    for proof in reading.proofs.values():
        k, looks = reading.round_of(proof).k, Counter[int]()
        for index, look in proof.looks:
            looks[look.segment] += 1
            if looks[look.segment] > len(reading.round_of(proof).verifiers):
                yield index, f"segment {look.segment} of {proof.name} is looked at again, {looks[look.segment]} times"
            counts = _counts(proof, look.segment, index)
            alone = max(counts[Word.TRUE], counts[Word.FALSE])
            left = counts[Word.UNSERVED] and _is_heard(reading, proof, look.segment, index)
            if alone >= k or (counts[Word.FALSE] + counts[Word.UNSERVED] < k and not left):
                yield index, f"segment {look.segment} of {proof.name} is looked at again after {dict(counts)}"


def _is_heard(reading: Reading, proof: Proof, segment: int, before: int) -> bool:
    """Whether all who were called to a segment have spoken or lapsed."""
    round_ = reading.round_of(proof)
    members = {name for call in earlier(proof.benches, before) if call.segment == segment for name in call.members}
    silent = (name for name in members if not stands_before(proof.words.get((name, segment), []), before))
    return bool(members) and all(_lapsed(round_, proof, name, before) for name in silent)


def _lapsed(round_: Round, proof: Proof, name: str, before: int) -> bool:
    return any(round_.lapsed_seat(proof, what, name, before) for what in (What.WORDS, What.SECRET))


def k_words_decide(reading: Reading) -> Iterator[Breach]:
    """A segment is true by k words; void by k, or by `false` and `unserved` together after the second look lapsed."""
    for proof in reading.proofs.values():
        k = reading.round_of(proof).k
        for index, decided in proof.decided:
            counts = _counts(proof, decided.segment, index)
            against = max(counts[Word.FALSE], counts[Word.DRIFT])
            if _looked(proof, decided.segment, index):
                against = max(against, counts[Word.FALSE] + counts[Word.UNSERVED])
            if (counts[Word.TRUE] if decided.true else against) < k:
                verdict = "true" if decided.true else "false"
                yield index, f"segment {decided.segment} of {proof.name} is held {verdict} after {dict(counts)}"


def _looked(proof: Proof, segment: int, before: int) -> bool:
    """The second look at the segment began, and k verifiers said that its period is over."""
    looked = any(look.segment == segment for look in earlier(proof.looks, before))
    lapsed = (entry.awaited for entry in earlier(proof.lapsed, before))
    return looked and any(a.what is What.SECOND_LOOK and a.party == str(segment) for a in lapsed)


def reasons_were_given(reading: Reading) -> Iterator[Breach]:
    """The reason of a void segment is one that a word on it gave; a true one has none."""
    for proof in reading.proofs.values():
        for index, decided in proof.decided:
            said = proof.said(decided.segment, index)
            given = {word.reason.value for word in said if word.reason is not None}
            given |= {word.word.value for word in said if word.word in (Word.UNSERVED, Word.DRIFT)}
            if (decided.reason is not None) if decided.true else (decided.reason not in given):
                yield (
                    index,
                    f"segment {decided.segment} of {proof.name} is decided as {decided.reason}, said was {given}",
                )


def panels_spoke(reading: Reading) -> Iterator[Breach]:
    """A panel has spoken when k seats drew, every seat answered or lapsed, and nothing has ended the reading."""
    for proof in reading.proofs.values():
        round_ = reading.round_of(proof)
        for index, _ in proof.spoken:
            audited = any(panel.audited for panel in earlier(proof.panels, index))
            if stands_before(proof.ends, index) or not stands_before(proof.panels, index):
                yield index, f"the panel of {proof.name} speaks before it is drawn or after its end"
            elif audited and (who := _waits(round_, proof, index)):
                yield index, f"the panel of {proof.name} has spoken and {who} is awaited"


def _waits(round_: Round, proof: Proof, before: int) -> str | None:
    draws = proof.draws(before)
    if len(draws) < round_.k:
        return "a draw"
    for seat in proof.seats(before):
        if seat not in draws and not round_.lapsed_seat(proof, What.SECRET, seat, before):
            return seat
    for drew, drawn in draws.items():
        silent = any(proof.word(drew, segment, before) is None for segment in drawn)
        if silent and not round_.lapsed_seat(proof, What.WORDS, drew, before):
            return drew
    return None


def overruled_by_the_bench(reading: Reading) -> Iterator[Breach]:
    """A verifier is overruled where its word stands against what the bench decided, not for a round that is over."""
    for run in reading.runs.values():
        for index, overruled in run.overruled:
            proof = reading.proof(overruled.proof)
            segments = {decided.segment for decided in earlier(proof.decided, index) if decided.true}
            stood = {name for segment in segments for name in stood_unserved(proof, segment, index)}
            against = _against(proof, overruled.verifier, index, (Word.TRUE, Word.FALSE, Word.DRIFT))
            if not against and overruled.verifier not in stood:
                yield index, f"{overruled.verifier} is overruled about {proof.name}, and nothing was decided against it"
            if overruled.until < reading.round_of(proof).key[1]:
                yield index, f"{overruled.verifier} is overruled until a round that is over"


def stood_unserved(proof: Proof, segment: int, before: int) -> Iterator[str]:
    """Whose `unserved` stood a whole period after k had said true of a segment."""
    decided = next((at for at, d in proof.decided if d.segment == segment and d.true), before)
    for at, entry in proof.lapsed:
        if entry.awaited.what is What.SECOND_LOOK and entry.awaited.party == str(segment) and at < before:
            for verifier in proof.readers(segment, at) if entry.since >= decided else ():
                words = (proof.word(verifier, segment, entry.since), proof.word(verifier, segment, at))
                if all(word is not None and word.word is Word.UNSERVED for word in words):
                    yield verifier


def _against(proof: Proof, verifier: str, before: int, words: tuple[Word, ...]) -> bool:
    for decided in earlier(proof.decided, before):
        word = proof.word(verifier, decided.segment, before)
        if word is not None and word.word in words and (word.word is Word.TRUE) != decided.true:
            return True
    return False


def _passed(proof: Proof, _: Round, fault: VerifierFault, before: int) -> bool:
    named = (proof.word(fault.verifier, p.fake, before) for p in earlier(proof.pledges, before) if p.fake is not None)
    passed = any(word is not None and word.word is Word.TRUE for word in named)
    return passed or _against(proof, fault.verifier, before, (Word.TRUE,))


def _two_words(proof: Proof, _: Round, fault: VerifierFault, before: int) -> bool:
    for (verifier, _segment), words in proof.words.items():
        said = [word.word for word in earlier(words, before)]
        kept = said[1:] if said and said[0] is Word.UNSERVED else said
        if verifier == fault.verifier and len(set(kept)) > 1:
            return True
    return False


def _silent(proof: Proof, round_: Round, fault: VerifierFault, before: int) -> bool:
    """It lapsed twice, owed something that it drew, and k others had read all that it owed by then."""
    twice = [
        at for at, lapsed in proof.lapsed if lapsed.period == 2 and at < before and _is_words_of(lapsed, fault.verifier)
    ]
    return any(others_did(proof, fault.verifier, at, round_.k) for at in twice)


def others_did(proof: Proof, verifier: str, at: int, k: int) -> bool:
    """Whether at a second lapse of its words it owed something that it drew, and k others had read all that it owed."""
    owed = _owed(proof, verifier, at)
    return bool(owed) and all(len(proof.read_in_time(segment, at)) >= k for segment in owed)


def _owed(proof: Proof, verifier: str, at: int) -> set[int]:
    """All that it owes at an index, where it has drawn and can read some of it."""
    ready = any(entry.verifier == verifier for entry in earlier(proof.openings, at))
    drawn = set(proof.draws(at).get(verifier, ())) if ready else set[int]()
    called = {call.segment for call in earlier(proof.benches, at) if verifier in call.members}
    open_ = called - {decided.segment for decided in earlier(proof.decided, at)}
    owed = {segment for segment in drawn | open_ if not proof.answered(verifier, segment, at)}
    return owed if owed & drawn else set()


def _is_words_of(lapsed: Lapsed, verifier: str) -> bool:
    return lapsed.awaited.what is What.WORDS and lapsed.awaited.party == verifier


_GROUNDS: dict[Fault, Callable[[Proof, Round, VerifierFault, int], bool]] = {
    Fault.FALSE_WORD: lambda proof, _, fault, before: _against(proof, fault.verifier, before, (Word.FALSE,)),
    Fault.PASSED_A_FAKE: _passed,
    Fault.TWO_WORDS: _two_words,
    Fault.WRONG_TRACE: lambda proof, _, fault, before: any(
        shown.verifier == fault.verifier for shown in earlier(proof.traces, before)
    ),
    Fault.TRACE_WITHHELD: lambda proof, round_, fault, before: round_.lapsed_seat(
        proof, What.TRACE, fault.verifier, before, period=2
    ),
    Fault.FELL_SILENT: _silent,
}
IN_EXACT_RUNS = frozenset({Fault.FALSE_WORD, Fault.PASSED_A_FAKE, Fault.WRONG_TRACE})


def verifier_faults_have_a_ground(reading: Reading) -> Iterator[Breach]:
    """What a verifier did stands in the log; about words and traces only in bit-exact runs; silence once a round."""
    for run in reading.runs.values():
        terms, silent = reading.terms(run.name), set[tuple[int, str]]()
        for index, fault in run.verifier_faults:
            proof, round_ = reading.proof(fault.proof), reading.round((fault.run, fault.round))
            if not _GROUNDS[fault.fault](proof, round_, fault, index):
                yield index, f"{fault.verifier} has the fault {fault.fault} without a ground"
            if fault.fault in IN_EXACT_RUNS and terms is not None and not terms.exact:
                yield index, f"{fault.verifier} has the fault {fault.fault} in a run that is not bit-exact"
            if fault.fault is Fault.FELL_SILENT and (fault.round, fault.verifier) in silent:
                yield index, f"{fault.verifier} falls silent twice in round {fault.round}"
            silent |= {(fault.round, fault.verifier)} if fault.fault is Fault.FELL_SILENT else set()


CONDITIONS = (
    benches_are_called_for_cause,
    benches_are_the_first,
    the_rest_come_last,
    words_are_sealed,
    drift_only_within_limits,
    second_looks_have_a_cause,
    k_words_decide,
    reasons_were_given,
    panels_spoke,
    overruled_by_the_bench,
    verifier_faults_have_a_ground,
)
