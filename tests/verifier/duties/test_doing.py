"""Each duty over a run in real messages: what is said, when, and only once; the log takes it as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.ids import NO_PROOF, ProofId, RunId, as_address, to_hex
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import EpochRoot, NodeFault, VerifierFault
from contracts.messages.signatures import Domain, recover
from contracts.protocol.faults import fault_evidence
from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import Word
from contracts.protocol.judge.rules import duties
from contracts.protocol.judge.rules.duties import SignFault
from contracts.protocol.judge.state import Phase, Stage
from contracts.protocol.log.codec import canonical
from contracts.protocol.log.leaf import LARGEST_LEAF
from contracts.protocol.log.signed import Envelope
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, hashed
from tests.verifier.town import REGISTRY, Party, make_party, text_of
from verifier.duties import come_back, epochs, faults, hold, lapse, read, reveal, see, trace
from verifier.mirror.exchange.handing_on import Look, MirrorAnswer
from verifier.mirror.store.stopwatch import Absence
from verifier.replay.holding import Measured, Question
from verifier.replay.replaying import FALSE, REPLAY, TRUE, Said, Segment
from verifier.replica.errors import LogWaits
from verifier.signing.secrets import RoundSecrets

pytestmark = pytest.mark.unit


def claims(party: Party, kind: type[Any]) -> list[Any]:
    return [signed.claim for signed in party.world.voice.held() if isinstance(signed.claim, kind)]


def says(word: int, reason: int = 0) -> Any:
    """A worker's answer to a replay."""

    def answer(asked: Segment) -> Said:
        seen = "0x" + "ab" * 32 if asked.common else ""
        return Said(asked.segment, word, reason, 5, 9, seen)

    return answer


def measures(made: SignedRun, *others: str) -> Any:
    """A worker's answer to the question what a gradient's file is: what was committed to, but for these files."""
    known = {found.gradientBlob.hex(): found for found in map(made.commitment, made.nodes)}

    def answer(asked: Question) -> Measured:
        found = known[asked.blob]
        gradient = hashed("another") if asked.blob in others else found.gradient
        return Measured(found.gradientSize, to_hex(gradient), to_hex(found.endState))

    return answer


# -- Has ------------------------------------------------------------------------------------------------------------


def test_all_gradients_that_passed_are_named_in_one_message(tmp_path: Path) -> None:
    made = SignedRun(nodes=3)
    proofs = [to_hex(made.commit(node)) for node in made.nodes]
    party = make_party(tmp_path, made)
    party.work.answers["hold"] = None
    hold.hold(party.world, party.due(duties.Hold))
    assert claims(party, facts.Has) == []
    party.work.answers["hold"] = measures(made)
    hold.hold(party.world, party.due(duties.Hold))
    (said,) = claims(party, facts.Has)
    assert sorted(said.proofs) == sorted(proofs)
    hold.hold(party.world, party.due(duties.Hold))
    assert len(party.sent) == 1
    party.enter()
    assert party.due(duties.Hold) == []


def test_a_gradient_that_does_not_lead_to_its_end_is_never_held(tmp_path: Path) -> None:
    made = SignedRun(nodes=2)
    for node in made.nodes:
        made.commit(node)
    party = make_party(tmp_path, made)
    bad = party.due(duties.Hold)[0].proof
    refused = party.world.replica.collected.commitments[bad].gradientBlob
    party.work.answers["hold"] = measures(made, refused.hex())
    for _ in range(2):
        hold.hold(party.world, party.due(duties.Hold))
    (said,) = claims(party, facts.Has)
    assert bad not in said.proofs
    assert len(said.proofs) == len(made.nodes) - 1
    assert [line.proof for line in party.said if line.event == "gradient refused"] == [bad]


class OneFile(SignedRun):
    """All nodes commit to the first one's gradient, each with an end of its own."""

    def commitment(self, node: LocalAccount) -> messages.Commitment:
        first = super().commitment(self.nodes[0])
        message = super().commitment(node)
        return replace(message, gradient=first.gradient, gradientBlob=first.gradientBlob)


def test_commitments_to_one_file_are_one_question(tmp_path: Path) -> None:
    """A zero gradient under 99 keys, with whatever end each of them names, puts one job before an honest one."""
    made = OneFile(nodes=3)
    proof, *_ = [to_hex(made.commit(node)) for node in made.nodes]
    party = make_party(tmp_path, made)
    first = made.commitment(made.nodes[0])
    found = Measured(first.gradientSize, to_hex(first.gradient), to_hex(first.endState))
    party.work.answers["hold"] = found
    hold.hold(party.world, party.due(duties.Hold))
    assert len(party.work.asked) == 3
    assert len({(subject, name) for subject, name, _ in party.work.asked}) == 1
    (said,) = claims(party, facts.Has)
    assert said.proofs == (proof,), "each commitment is compared with what the file is"


# -- Seen, secrets ----------------------------------------------------------------------------------------------------


def test_seen_is_said_only_before_the_beacons_block(tmp_path: Path) -> None:
    made = SignedRun()
    made.commit_all()
    party = make_party(tmp_path, made)
    (duty,) = party.due(duties.See)
    for now in (duty.beacon_time, duty.beacon_time + 5):
        party.chain.now = now
        see.see(party.world, [duty])
        assert claims(party, facts.Seen) == [], "its hash may be known by now"
    party.chain.at = None
    with pytest.raises(LogWaits):
        see.see(party.world, [duty])
    party.chain.at, party.chain.now = 10**9, duty.beacon_time - 1
    see.see(party.world, [duty])
    (said,) = claims(party, facts.Seen)
    assert (said.index, said.root) == (duty.index, to_hex(party.world.copy.root(duty.index + 1)))
    party.enter()
    assert party.due(duties.See) == []


def anchored_by(folder: Path) -> SignedRun:
    """The first verifier's anchor is that of the secret in its folder."""
    from tests.verifier.anchored import AnchoredRun

    return AnchoredRun(folder, panel=0)


def test_a_secret_is_shown_once_the_beacon_is_final_here(tmp_path: Path) -> None:
    made = anchored_by(tmp_path)
    made.commit_all()
    made.see()
    party = make_party(tmp_path, made)
    waiting = party.due(duties.Reveal)
    assert len(waiting) == 1
    party.chain.at = made.number - 1
    reveal.reveal(party.world, waiting)
    assert claims(party, facts.Secret) == []
    party.chain.at = made.number
    reveal.reveal(party.world, waiting)
    assert len(claims(party, facts.Secret)) == 1
    party.enter()
    assert party.due(duties.Reveal) == []


def test_no_secret_is_shown_that_the_log_does_not_await(tmp_path: Path) -> None:
    """F26: a verifier showed the link of whatever round the server named."""
    party = make_party(tmp_path, anchored_by(tmp_path))
    assert party.due(duties.Reveal) == []
    reveal.reveal(party.world, [duties.Reveal(RunId(to_hex(party.made.run)), 9)])
    assert party.sent == []


def test_an_anchor_of_another_folder_is_reported_and_kept_shut(tmp_path: Path) -> None:
    made = SignedRun(panel=0)
    made.commit_all()
    made.see()
    party = make_party(tmp_path, made)
    reveal.reveal(party.world, party.due(duties.Reveal))
    assert claims(party, facts.Secret) == []
    assert "not of this folder" in party.said[-1].detail


# -- words ------------------------------------------------------------------------------------------------------------


def opened(**terms: Any) -> SignedRun:
    """All is drawn and open; nobody has spoken."""
    made = SignedRun(nodes=1, panel=0, **terms)
    made.commit_all()
    made.see()
    for verifier in made.verifiers:
        made.show_secret(verifier)
    made.open(made.round.closed[0])
    return made


def test_one_verdict_has_a_word_for_every_segment_that_is_owed(tmp_path: Path) -> None:
    party = make_party(tmp_path, opened())
    (duty,) = party.due(duties.Read)
    for number in duty.segments[:-1]:
        party.work.answers[f"segment {number}"] = says(TRUE)
    read.read(party.world, [duty])
    assert claims(party, facts.Words) == [], "one is still being replayed"
    party.work.answers[f"segment {duty.segments[-1]}"] = says(TRUE)
    read.read(party.world, [duty])
    (said,) = claims(party, facts.Words)
    assert [(word.segment, word.word) for word in said.words] == [(number, Word.TRUE) for number in duty.segments]
    read.read(party.world, [duty])
    assert len(party.sent) == 1
    party.enter()
    assert party.due(duties.Read) == []
    proof = party.made.state.proofs[duty.proof]
    assert proof.witnesses[party.world.address]


def test_many_words_come_in_messages_that_the_log_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run with 1,100 samples no honest verifier could say a word, and all fell silent."""
    monkeypatch.setattr(read, "MOST_WORDS", 1)
    party = make_party(tmp_path, opened())
    (duty,) = party.due(duties.Read)
    for number in duty.segments:
        party.work.answers[f"segment {number}"] = says(TRUE)
    read.read(party.world, [duty])
    assert len(claims(party, facts.Words)) == len(duty.segments) > 1
    party.enter()
    assert party.due(duties.Read) == []


def test_a_message_of_the_longest_words_fits_into_a_leaf() -> None:
    longest = messages.SegmentVerdict(2**32 - 1, 2, 1, 2**256 - 1, 2**256 - 1)
    message = messages.Verdict(
        b"\1" * 32, as_address("0x" + "ab" * 20), b"\1" * 32, b"\1" * 32, (longest,) * read.MOST_WORDS
    )
    assert len(canonical(Envelope(message, (b"\1" * 65,), {}).body())) < LARGEST_LEAF // 2


def test_what_a_worker_is_asked_is_what_the_node_signed(tmp_path: Path) -> None:
    made = opened()
    party = make_party(tmp_path, made)
    read.read(party.world, party.due(duties.Read))
    proof = made.round.closed[0]
    entries = made.entries(made.nodes[0], 1)
    for subject, _, asked in party.work.asked:
        number = asked.segment
        assert subject == proof
        assert (asked.start, asked.end) == (to_hex(entries[number]), to_hex(entries[number + 1]))
        assert asked.start_blob == hashed("state", proof, number).hex()
        assert asked.common == (number == made.state.proofs[proof].common)


def test_false_names_its_reason_and_its_measure(tmp_path: Path) -> None:
    party = make_party(tmp_path, opened())
    (duty,) = party.due(duties.Read)
    for number in duty.segments:
        party.work.answers[f"segment {number}"] = says(FALSE, REPLAY)
    read.read(party.world, [duty])
    (said,) = claims(party, facts.Words)
    assert {(w.word, w.reason, w.measured, w.limit) for w in said.words} == {(Word.FALSE, facts.Reason.REPLAY, 5, 9)}
    party.enter()


def test_bytes_that_take_more_than_half_a_period_are_unserved(tmp_path: Path) -> None:
    party = make_party(tmp_path, opened())
    (duty,) = party.due(duties.Read)
    lapse.watch(party.world, party.look(), chain=True)
    for _ in range(2):
        party.pass_time(14)
        lapse.watch(party.world, party.look(), chain=True)
    read.read(party.world, [duty])
    assert claims(party, facts.Words) == []
    party.pass_time(2)
    lapse.watch(party.world, party.look(), chain=True)
    read.read(party.world, [duty])
    (said,) = claims(party, facts.Words)
    assert {word.word for word in said.words} == {Word.UNSERVED}
    assert said.witness == ""
    party.enter()


@pytest.mark.parametrize("outcome", [MirrorAnswer.ANSWERED, MirrorAnswer.UNREACHABLE])
def test_who_is_cut_off_calls_nothing_unserved(tmp_path: Path, outcome: MirrorAnswer) -> None:
    """Whatever the server says: without n - k others it asked nobody for the bytes."""
    party = make_party(tmp_path, opened())
    lapse.watch(party.world, party.look(), chain=True)
    for _ in range(100):
        party.pass_time(10)
        lapse.watch(party.world, party.look(0, outcome), chain=True)
    read.read(party.world, party.due(duties.Read))
    assert claims(party, facts.Words) == []


def deaf(party: Party) -> Look:
    """The server answers this verifier with an error."""
    return party.look(2, MirrorAnswer.UNREACHABLE)


def contradicted(party: Party) -> Look:
    """A corrupt verifier shows it alone another head of the operator's."""
    seen = party.look()
    first, second = seen.mirrors
    return replace(seen, mirrors=(first, replace(second, outcome=MirrorAnswer.CONTRADICTS)))


@pytest.mark.parametrize("alone", [deaf, contradicted])
def test_who_is_singled_out_says_unserved_in_its_time(tmp_path: Path, alone: Callable[[Party], Look]) -> None:
    """Its looks do not count, as others' do. The chain's clock is nothing to what one owes oneself."""
    party = make_party(tmp_path, opened())
    for waited in (0, 28, 2):
        assert claims(party, facts.Words) == []
        party.clock[0] += waited
        lapse.watch(party.world, alone(party), chain=False)
        read.read(party.world, party.due(duties.Read))
    (said,) = claims(party, facts.Words)
    assert {word.word for word in said.words} == {Word.UNSERVED}
    assert not party.world.stopwatch.due(), "nobody is called late by looks that do not count"


def test_what_speaks_against_a_segment_waits_for_no_other(tmp_path: Path) -> None:
    party = make_party(tmp_path, opened(samples=3))
    (duty,) = party.due(duties.Read)
    first, second = duty.segments[:2]
    party.work.answers = {f"segment {first}": says(FALSE, REPLAY), f"segment {second}": says(TRUE)}
    assert len(duty.segments) > 2
    read.read(party.world, [duty])
    (said,) = claims(party, facts.Words)
    assert [(word.segment, word.word) for word in said.words] == [(first, Word.FALSE)]
    read.read(party.world, [duty])
    assert len(party.sent) == 1
    party.enter()
    assert party.due(duties.Read)[0].segments == duty.segments[1:]


def party_with_a_slow_segment(folder: Path) -> tuple[Party, duties.Read, int]:
    """All but one of what it has to read is replayed, the common segment among it."""
    made = opened(samples=3)
    party = make_party(folder, made)
    (duty,) = party.due(duties.Read)
    common = made.state.proofs[duty.proof].common
    slow = next(number for number in duty.segments if number != common)
    party.world.blobs.has = lambda digest: True  # type: ignore[method-assign]
    party.work.answers = {f"segment {number}": says(TRUE) for number in duty.segments if number != slow}
    return party, duty, slow


def read_until_half_of_its_time_is_over(party: Party, duty: duties.Read) -> None:
    """It says nothing before."""
    for waited in (0, 28):
        party.pass_time(waited)
        lapse.watch(party.world, party.look(), chain=True)
        read.read(party.world, [duty])
        assert claims(party, facts.Words) == []
    party.pass_time(2)
    lapse.watch(party.world, party.look(), chain=True)
    read.read(party.world, [duty])


def test_a_slow_segment_keeps_no_quick_one_back(tmp_path: Path) -> None:
    """It is here, and still being replayed when half of one's time is over: the rest is said, and it when it ends."""
    party, duty, slow = party_with_a_slow_segment(tmp_path)
    read_until_half_of_its_time_is_over(party, duty)
    (said,) = claims(party, facts.Words)
    assert {word.segment for word in said.words} == set(duty.segments) - {slow}
    assert said.witness, "it goes with the common segment"
    party.enter()
    (left,) = party.due(duties.Read)
    assert left.segments == (slow,)
    party.work.answers[f"segment {slow}"] = says(TRUE)
    read.read(party.world, [left])
    party.enter()
    assert party.due(duties.Read) == []


def test_a_segment_that_outlasts_its_tries_is_unserved(tmp_path: Path) -> None:
    """Before, nodes that opened slow states made whoever drew most of them fall silent, which costs stake."""
    party, duty, slow = party_with_a_slow_segment(tmp_path)
    party.work.slow = {f"segment {slow}"}
    read_until_half_of_its_time_is_over(party, duty)
    words = {word.segment: word.word for said in claims(party, facts.Words) for word in said.words}
    assert words == {number: Word.UNSERVED if number == slow else Word.TRUE for number in duty.segments}


def test_a_common_segment_without_its_trace_is_not_spoken_of(tmp_path: Path) -> None:
    """An empty trace can be sealed and never shown: its stake would be gone."""
    made = opened()
    party = make_party(tmp_path, made)
    (duty,) = party.due(duties.Read)
    said = Said(made.state.proofs[duty.proof].common, TRUE)
    party.work.answers = {f"segment {number}": said for number in duty.segments}
    read.read(party.world, [duty])
    assert claims(party, facts.Words) == []
    assert any("without its trace" in progress.detail for progress in party.said)


def test_a_restart_never_says_another_class_of_word(tmp_path: Path) -> None:
    """It sent false, and was killed before anybody had it: what workers say now does not change it."""
    made = opened()
    party = make_party(tmp_path, made)
    (duty,) = party.due(duties.Read)
    party.work.answers = {f"segment {number}": says(FALSE, REPLAY) for number in duty.segments}
    read.read(party.world, [duty])
    (first,) = party.sent
    party.world.messages.drop([signed.digest for signed in party.world.voice.held()])
    again = make_party(tmp_path, made)
    again.work.answers = {f"segment {number}": says(TRUE) for number in duty.segments}
    read.read(again.world, [duty])
    assert again.sent == []
    assert "is not said after false" in again.said[-1].detail
    again.work.answers = party.work.answers
    read.read(again.world, [duty])
    assert again.sent == [first]


def test_unserved_is_replaced_at_a_second_look(tmp_path: Path) -> None:
    made = opened()
    proof = made.round.closed[0]
    party = make_party(tmp_path, made)
    (duty,) = party.due(duties.Read)
    words = tuple(messages.SegmentVerdict(number, 4, 0, 0, 0) for number in duty.segments)
    for verifier in made.verifiers[:2]:
        name, root = bytes.fromhex(proof[2:]), made.root_at(made.state.proofs[proof].panel_at)
        made.send(messages.Verdict(name, verifier.address, root, b"\0" * 32, words), verifier)
    for number in duty.segments:
        assert party.world.memory.word(proof, root, number, Word.UNSERVED)
    party.follow()
    looks = party.due(duties.LookAgain)
    assert looks, "all seats read the common segment"
    read.look(party.world, looks)
    assert claims(party, facts.Words) == [], "there are no bytes yet"
    party.work.answers = {f"segment {found.segment}": says(TRUE) for found in looks}
    read.look(party.world, looks)
    assert {word.word for said in claims(party, facts.Words) for word in said.words} == {Word.TRUE}
    party.enter()
    assert party.due(duties.LookAgain) == []


def test_the_trace_that_was_sealed_is_shown(tmp_path: Path) -> None:
    made = opened()
    proof = made.round.closed[0]
    party = make_party(tmp_path, made)
    (duty,) = party.due(duties.Read)
    party.work.answers = {f"segment {number}": says(TRUE) for number in duty.segments}
    read.read(party.world, [duty])
    party.enter()
    for verifier in made.verifiers[1:]:
        made.say(proof, verifier)
    made.open_pledge(proof)
    party.follow()
    assert made.state.proofs[proof].stage is Stage.POSTED
    waiting = party.due(duties.Trace)
    again = make_party(tmp_path, made)
    trace.show(again.world, waiting)
    (said,) = claims(again, facts.TraceShown)
    assert said.trace == "0x" + "ab" * 32
    again.enter()
    assert again.due(duties.Trace) == []


# -- epochs, faults, returns ------------------------------------------------------------------------------------------


def closed() -> SignedRun:
    """An epoch closed, and is not final."""
    made = SignedRun(nodes=1)
    made.commit_all()
    made.see()
    made.read_all()
    made.merge()
    return made


def test_an_epoch_is_signed_over_the_log_that_ends_with_it(tmp_path: Path) -> None:
    party = make_party(tmp_path, closed())
    waiting = party.due(duties.SignEpoch)
    epochs.sign(party.world, waiting, counts=lambda _: True)
    assert party.world.quorum.all() == [], "a look after it was seen has to pass"
    epochs.sign(party.world, waiting, counts=lambda _: False)
    assert party.world.quorum.all() == []
    epochs.sign(party.world, waiting, counts=lambda _: True)
    (signed,) = party.world.quorum.all()
    message = signed.message
    assert isinstance(message, EpochRoot)
    index, entry = party.world.replica.closings[1]
    assert (message.logSize, message.logRoot) == (index + 1, party.world.copy.root(index + 1))
    assert (message.attempt, message.total, message.count) == (entry.attempt, entry.total, len(entry.lines))
    assert (message.settledAt, message.deadline) == (entry.settled_at, entry.deadline)
    (signature,) = signed.signatures.values()
    assert recover(message, Domain(DOMAIN.chain_id, REGISTRY), signature) == party.world.address
    again = make_party(tmp_path, party.made)
    for _ in range(3):
        epochs.sign(again.world, waiting, counts=lambda _: True)
    assert len([said for said in again.said if said.event == "epoch signed"]) == 0, "once"


def test_no_epoch_is_signed_while_the_log_lacks_held_messages(tmp_path: Path) -> None:
    """F19: a dropped reject's author signed the epoch that paid the fake."""
    made = closed()
    party = make_party(tmp_path, made)
    waiting, silent = party.due(duties.SignEpoch), made.verifiers[2]
    theta, momentum = hashed("theta", 1), hashed("momentum", 1)
    dropped = messages.Merge(made.run, 1, silent.address, made.merge_root, theta, momentum, theta, momentum, 5)
    party.hold(text_of(made, dropped, silent))
    for _ in range(4):
        epochs.sign(party.world, waiting, counts=lambda _: True)
    assert party.world.quorum.all() == []
    party.enter()
    epochs.sign(party.world, waiting, counts=lambda _: True)
    assert len(party.world.quorum.all()) == 1


def test_a_fault_is_signed_once_with_the_chains_evidence(tmp_path: Path) -> None:
    made = closed()
    party, proof = make_party(tmp_path, made), ProofId("0x" + "3" * 64)
    node, verifier = made.nodes[0].address, made.verifiers[1].address
    own = SignFault(proof, party.world.address, "two-words")
    due = [own, SignFault(proof, node, ""), SignFault(proof, verifier, "two-words")]
    for _ in range(2):
        faults.sign(party.world, due, counts=lambda _: True)
    first, second = (signed.message for signed in party.world.quorum.all())
    assert isinstance(first, NodeFault)
    assert isinstance(second, VerifierFault)
    assert (first.node, to_hex(first.proof)) == (node, proof)
    assert second.evidence == fault_evidence(proof, "two-words")
    assert second.deadline == 2**64 - 1


def test_who_lapsed_comes_back_with_a_head_that_holds_it(tmp_path: Path) -> None:
    made = SignedRun(panel=0)
    made.commit_all()
    made.see()
    party = make_party(tmp_path, made)
    away = party.world.address
    awaited = facts.Awaited(facts.What.SECRET, RunId(to_hex(made.run)), 1, NO_PROOF, away)
    since = made.state.open[awaited]
    for verifier in made.verifiers[1:]:
        said = lapse.lapse_message(verifier.address, Absence(awaited, since), made.root_at(since))
        made.send(said, verifier)
    party.follow()
    (duty,) = party.due(duties.ComeBack)
    come_back.come_back(party.world, [duty])
    made.block()
    party.follow()
    come_back.come_back(party.world, [duty])
    (said,) = claims(party, facts.Returned)
    assert said.size > duty.since
    assert len(party.sent) == 1
    party.enter()
    assert party.due(duties.ComeBack) == []


def test_a_verifier_says_all_that_the_machine_awaits_in_a_round(tmp_path: Path) -> None:
    """All but the training: three verifiers by these duties alone, and the round is merged."""
    made = anchored_by(tmp_path / "0")
    assert isinstance(RoundSecrets(tmp_path / "0" / "verifier.secret", made.verifiers[0].address), RoundSecrets)
    made.commit_all()
    party = make_party(tmp_path / "0", made)
    party.chain.now = 0
    see.see(party.world, party.due(duties.See))
    party.enter()
    made.see_others()  # type: ignore[attr-defined]
    party.follow()
    reveal.reveal(party.world, party.due(duties.Reveal))
    party.enter()
    for verifier in made.verifiers[1:]:
        made.show_secret(verifier)
    for proof in made.round.closed:
        made.open(proof)
    party.follow()
    for duty in party.due(duties.Read):
        party.work.answers = {f"segment {number}": says(TRUE) for number in duty.segments}
        read.read(party.world, [duty])
    party.enter()
    for proof in made.round.closed:
        for verifier in made.verifiers[1:]:
            made.say(proof, verifier)
        made.open_pledge(proof)
    party.follow()
    assert made.round.phase is Phase.MERGING


def apart() -> tuple[SignedRun, SignedRun, ProofId]:
    """A log and its fork in which another common segment was drawn: the first pair of runs where it is another."""
    for rounds in range(2, 40):
        (made, proof), (fork, _) = closed_at(False, rounds), closed_at(True, rounds)
        if made.state.proofs[proof].common != fork.state.proofs[proof].common:
            return made, fork, proof
    raise AssertionError("no beacon draws another segment")


def closed_at(early: bool, rounds: int) -> tuple[SignedRun, ProofId]:
    """Of one chain's blocks the round is closed after the first or the second: another one is its beacon."""
    made = SignedRun(nodes=1, rounds=rounds, panel=0, samples=3)
    proof = ProofId(to_hex(made.commit(made.nodes[0])))
    number, time = made.number, made.time

    def block(after: int, seconds: int, parent: int) -> None:
        made.number, made.time = number + after, time + seconds
        made.add(facts.Block(made.number, made.time, to_hex(hashed("block", made.number)), (), time + parent))

    if early:
        block(1, 12, 0)
    for verifier in made.verifiers:
        made.send(messages.Has(made.run, 1, verifier.address, (bytes.fromhex(proof[2:]),)), verifier)
    for verifier in made.verifiers:
        said = messages.Seen(made.run, 1, verifier.address, made.round.closed_at, made.root_at(made.round.closed_at))
        made.send(said, verifier)
    block(3, 52, 40) if early else block(2, 40, 12)
    for verifier in made.verifiers:
        made.show_secret(verifier)
    made.open(made.round.closed[0])
    return made, proof


def test_a_trace_sealed_on_an_abandoned_branch_is_not_shown(tmp_path: Path) -> None:
    """There another beacon drew another common segment."""
    made, fork, proof = apart()
    party = make_party(tmp_path, fork)

    def answer(asked: Segment) -> Said:
        trace = to_hex(hashed("trace", asked.segment)) if asked.common else ""
        return Said(asked.segment, TRUE, 0, 5, 9, trace)

    def speak() -> None:
        for duty in party.due(duties.Read):
            party.work.answers |= {f"segment {number}": answer for number in duty.segments}
        read.read(party.world, party.due(duties.Read))

    speak()
    assert party.sent
    party.made = made
    party.follow()
    speak()
    party.enter()
    for verifier in made.verifiers[1:]:
        made.say(proof, verifier)
    made.open_pledge(proof)
    party.follow()
    trace.show(party.world, party.due(duties.Trace))
    (said,) = claims(party, facts.TraceShown)
    assert said.trace == to_hex(hashed("trace", made.state.proofs[proof].common))


def test_a_fault_is_signed_once_others_hold_what_shows_it(tmp_path: Path) -> None:
    """A branch that an operator shows to one verifier alone convicts nobody."""
    party, proof = make_party(tmp_path, closed()), ProofId("0x" + "3" * 64)
    due = [SignFault(proof, party.made.nodes[0].address, "")]
    asked: list[int] = []

    def counts(entries: int) -> bool:
        asked.append(entries)
        return len(asked) > 2

    size = party.world.replica.size
    for _ in range(2):
        faults.sign(party.world, due, counts)
    assert party.world.quorum.all() == []
    party.made.block()
    party.follow()
    faults.sign(party.world, due, counts)
    assert len(party.world.quorum.all()) == 1
    assert asked == [size] * 3, "what was read when it became due"
