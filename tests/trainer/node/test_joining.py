"""What a node looks at before it signs that it takes part: the run's text, who computes alike, the log's numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import RunId, as_address, to_hex
from contracts.messages import for_log as messages
from contracts.protocol.configuration.profiles import AdmittedProfile, profiles_text
from contracts.protocol.judge import chain_events
from contracts.protocol.judge.rules import presence
from tests.contracts.protocol.log.signed_run import hashed, key
from tests.holds import Threat, holds
from tests.trainer.node.test_node import Place
from tests.trainer.world import NODE, PAYOUT, Village, kind_of, write_text
from trainer.data.batches import batch_source
from trainer.data.corpus import WrongCorpus
from trainer.data.draw import share_of
from trainer.data.text import load_corpus
from trainer.model import memory
from trainer.model.memory import DoesNotFit
from trainer.model.state import initial_theta, start_tensors
from trainer.node.joining import obstacle
from trainer.steps.determinism import configure_determinism
from trainer.steps.settled import settle
from trainer.steps.trajectory import run_inner
from verifier.mirror.store import database

OTHER = hashed("another machine")


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SYNCHRONOUS", "OFF")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def said_by_node(place: Place) -> list[str]:
    """Kinds of all that it handed to anybody, or keeps to hand."""
    texts = [*place.server.messages, *(text for house in place.houses for text in house.handed())]
    kept = [path.name for path in (place.folder / "node" / "outbox").rglob("*.json")]
    return [kind_of(text) for text in texts if NODE.address.lower() in text.lower()] + kept


def looks(place: Place, number: int = 25) -> None:
    for _ in range(number):
        place.council.act()
        time.sleep(0.02)


@holds(
    "A node with a different corpus, or with work that no verifier could replay, signs nothing",
    by="trainer/node/answering.py:Answers.take_place",
    against=Threat.FALSE_WORK,
)
@pytest.mark.integration
def test_a_node_with_another_text_signs_nothing(tmp_path: Path, stack: ExitStack) -> None:
    place = Place(tmp_path, stack)
    other = tmp_path / "other"
    other.mkdir()
    (other / "text.txt").write_text(place.text.read_text() + "one more line\n")
    with pytest.raises(WrongCorpus) as refused, place.node(data=(other,)) as thread:
        place.until(lambda: not thread.is_alive())
    assert not said_by_node(place)
    told = refused.value.detail
    assert str(other) in told
    assert place.village.corpus.digest in told
    assert load_corpus([other]).digest in told
    assert "--data" in told
    assert NODE.address not in place.village.state.runs[RunId(to_hex(place.village.run))].nodes


@pytest.mark.integration
def test_a_node_without_the_memory_signs_nothing(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, stack)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000)
    with pytest.raises(DoesNotFit, match="GB of memory"), place.node() as thread:
        place.until(lambda: not thread.is_alive())
    assert not said_by_node(place)


@pytest.mark.integration
def test_a_member_is_not_asked_for_its_memory_again(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rounds take memory themselves."""
    place, room = Place(tmp_path, stack), [10**12]
    monkeypatch.setattr(memory, "available_bytes", room.pop)
    with place.node():
        place.until(place.posted)
    assert room == [], "asked once"


@pytest.mark.integration
def test_a_node_waits_to_enrol_until_a_verifier_computes_alike(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    place = Place(tmp_path, stack, judged=OTHER)
    with place.node():
        place.until(lambda: place.events("unjudged"))
        looks(place)
        assert not said_by_node(place)
        (told,) = place.events("unjudged")
        assert f"profile {to_hex(configure_determinism('exact').digest())}" in told.detail
        assert "MKL_CBWR" in told.detail
        assert "portable" in told.detail
        assert not [said for said in place.events("status") if "on the way" in said.detail]


@pytest.mark.integration
def test_who_says_so_enrols_all_the_same(tmp_path: Path, stack: ExitStack) -> None:
    place = Place(tmp_path, stack, judged=OTHER)
    with place.node(unjudged=True):
        place.until(lambda: place.events("enrolled"))
    assert place.events("unjudged")


@pytest.mark.integration
def test_a_process_that_computes_otherwise_does_not_train(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise than the node is listed."""
    place = Place(tmp_path, stack)
    place.server.hides, place.council.lends = True, ("enrolment",)
    with place.node():
        place.until(lambda: place.events("enrolled"))
    before = list(place.village.leaves)
    place.progress.clear()
    here = configure_determinism("exact")
    monkeypatch.setattr("trainer.steps.computable.profile_of", lambda _: replace(here, computed="other bits"))
    with place.node():
        place.until(lambda: place.events("unjudged"))
        looks(place)
    assert not place.events("training")
    assert [kind_of(t) for t in place.village.leaves[len(before) :] if "enrolment" in t] == []


@pytest.mark.integration
def test_of_several_profiles_a_node_trains_in_one_that_is_read(tmp_path: Path, stack: ExitStack) -> None:
    """It computes in both of the run's, and no verifier in its exact one, which is the first of the list."""
    own = {name: configure_determinism(name).digest() for name in ("exact", "portable")}
    text = profiles_text(AdmittedProfile(name, to_hex(digest)) for name, digest in own.items())
    several = {"profile": "several", "profiles": text}
    place = Place(tmp_path, stack, judged=own["portable"], config=several, profiles=tuple(own.values()))
    with place.node():
        place.until(place.posted)
    (proof,) = place.village.state.proofs.values()
    assert proof.commitment.profile == to_hex(own["portable"])
    config = place.village.config.under(proof.commitment.profile)
    seed, share = bytes.fromhex(proof.commitment.data_seed[2:]), share_of(NODE.address, [NODE.address])
    start = start_tensors(initial_theta(config), None)
    done = settle(start, run_inner(config, start, batch_source(place.village.corpus, config, seed, 1, share)))
    assert to_hex(done.root) == proof.commitment.root, "in the arithmetic that it names"


@pytest.fixture
def village(tmp_path: Path) -> Village:
    return Village(write_text(tmp_path))


def why(village: Village, profile: bytes) -> str:
    return obstacle(village.state, village.state.runs[RunId(to_hex(village.run))], to_hex(profile))


@pytest.mark.unit
def test_a_profile_that_a_verifier_has_is_in_nobodys_way(village: Village) -> None:
    own = configure_determinism("exact").digest()
    assert why(village, own) == ""
    assert "no verifier computes" in why(village, OTHER), "it is not on the run's list either"


@pytest.mark.unit
def test_a_verifier_that_was_removed_judges_nothing(village: Village) -> None:
    own = configure_determinism("exact").digest()
    village.block(*(chain_events.VerifierStands(v.address, False, 10) for v in village.verifiers))
    assert "no verifier is bound" in why(village, own)


@pytest.mark.unit
def test_a_portable_run_is_open_to_any_machine(village: Village) -> None:
    run = village.state.runs[RunId(to_hex(village.run))]
    run.config = replace(village.config, profile="portable").to_json()
    assert why(village, OTHER) == ""


# -- numbers of what a node says of its place ------------------------------------------------------------------------


def member_of(place: Place):  # type: ignore[no-untyped-def]
    return place.village.state.runs[RunId(to_hex(place.village.run))].nodes.get(NODE.address)


def enrolled_once(place: Place, nonce: int) -> None:
    """As by a clock that was far ahead once: another payout, so that the node has something to change."""
    profile = configure_determinism("exact").digest()
    message = messages.Enrolment(place.village.run, NODE.address, as_address(place.houses[0].name), 900, profile, nonce)
    place.village.send(message, NODE)


@holds(
    "A clock that was ahead once does not lock its key out",
    by="trainer/node/answering.py:Answers.take_place",
    against=Threat.UNLIKE_MACHINES,
)
@pytest.mark.integration
@pytest.mark.parametrize("years", [0.0007, 10, 200])
def test_a_key_whose_clock_was_ahead_once_is_not_locked_out(tmp_path: Path, stack: ExitStack, years: float) -> None:
    place = Place(tmp_path, stack)
    ahead = time.time_ns() + int(years * 365 * 86_400 * 10**9)
    enrolled_once(place, ahead)
    with place.node():
        place.until(lambda: member_of(place).enrolled.payout == PAYOUT)
    assert member_of(place).sequence == ahead + 1


@pytest.mark.integration
def test_a_member_that_the_log_forgot_enrols_from_another_folder(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "MOST_STAKELESS", 1)
    place = Place(tmp_path, stack, minNodes=2)
    with place.node():
        place.until(lambda: place.events("enrolled"))
    run, other, profile = place.village.run, key("another node"), configure_determinism("exact").digest()
    place.village.send(messages.Leave(run, NODE.address, member_of(place).sequence + 1), NODE)
    place.village.send(messages.Enrolment(run, other.address, PAYOUT, 1, profile, 1), other)
    place.village.send(messages.Leave(run, other.address, 2), other)
    assert member_of(place) is None
    with place.node(folder=tmp_path / "another"):
        place.until(lambda: member_of(place) is not None)
    said = [text for text in place.village.leaves if '"kind":"enrolment"' in text and NODE.address in text]
    assert len(set(said)) == len(said) == 2, "what the log has it takes no second time"
