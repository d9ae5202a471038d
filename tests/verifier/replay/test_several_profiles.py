"""A replay in a run of several profiles: in the arithmetic of the node's own, and never in another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import to_hex
from contracts.protocol.configuration.profiles import AdmittedProfile, profiles_text
from tests.holds import Threat, holds
from tests.verifier.honest import TINY, Honest
from trainer.steps.determinism import configure_determinism
from verifier.replay.replaying import FALSE, TRUE, CannotCompare, Segment, judge_segment

pytestmark = pytest.mark.unit
FOREIGN = "0x" + "ee" * 32


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Honest]:
    """The same round, by a node of each arithmetic."""
    small = replace(TINY, steps=4, segment=2)
    return {
        name: Honest.train(tmp_path_factory.mktemp(name), replace(small, profile=name))
        for name in ("exact", "portable")
    }


def asked(work: Honest, name: str, profile: str = "") -> Segment:
    """The first segment of a work, as a run of several asks for it under the profile of that name."""
    own = {name: to_hex(configure_determinism(name).digest()) for name in ("exact", "portable")}
    listed = [AdmittedProfile(name, digest) for name, digest in own.items()] + [AdmittedProfile("exact", FOREIGN)]
    config = replace(work.config, profile="several", profiles=profiles_text(listed))
    return replace(work.segment(0, common=True), config=config.to_json(), profile=profile or own[name])


@pytest.mark.parametrize("name", ["exact", "portable"])
def test_work_is_true_in_its_own_profile(works: Mapping[str, Honest], name: str) -> None:
    """Both by one process, one after the other."""
    work = works[name]
    said = judge_segment(asked(work, name), work.shelf(), work.corpus)
    assert (said.word, said.detail) == (TRUE, "")
    assert said.trace == judge_segment(work.segment(0, common=True), work.shelf(), work.corpus).trace


@holds(
    "Work in one arithmetic that is claimed under another is false",
    by="verifier/replay/replaying.py:computed_by",
    against=Threat.FALSE_WORK,
)
@pytest.mark.parametrize(("done", "claimed"), [("exact", "portable"), ("portable", "exact")])
def test_work_is_false_in_another_profile(works: Mapping[str, Honest], done: str, claimed: str) -> None:
    work = works[done]
    assert judge_segment(asked(work, claimed), work.shelf(), work.corpus).word == FALSE


def test_another_machines_exact_profile_gets_no_word(works: Mapping[str, Honest], tmp_path: Path) -> None:
    work = works["exact"]
    with pytest.raises(CannotCompare):
        judge_segment(asked(work, "exact", FOREIGN), work.shelf(), work.corpus)
    other = replace(works["portable"].segment(0), profile=FOREIGN)
    with pytest.raises(CannotCompare):
        judge_segment(other, works["portable"].shelf(), works["portable"].corpus)
