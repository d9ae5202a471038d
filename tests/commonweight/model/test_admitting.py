"""The profiles of a new run, from its creator's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commonweight.model import admitting as module
from commonweight.model.admitting import admitting
from commonweight.model.terms import RunRules, terms
from contracts.ids import as_address, to_hex
from contracts.protocol.configuration.field_checks import InvalidRunConfig
from contracts.protocol.run_config import RunConfig
from trainer.steps.determinism import profile_of

pytestmark = pytest.mark.unit
OTHER = "ee" * 32
CREATOR = as_address("0x" + "11" * 20)
TINY = RunConfig(layers=1, d_model=16, heads=2, context=16)


def test_words_become_the_list_that_the_terms_have() -> None:
    config = admitting(TINY, ("portable", "exact", f"exact:0x{OTHER}"))
    assert config.profile == "several"
    portable, exact = (to_hex(profile_of(replace(TINY, profile=name)).digest()) for name in ("portable", "exact"))
    assert [profile.digest for profile in config.admitted] == [portable, exact, f"0x{OTHER}"]
    assert config.under(exact) == TINY
    signed = terms(b"\1" * 32, CREATOR, config, RunRules(1))
    assert [to_hex(profile) for profile in signed.profiles] == [portable, exact, f"0x{OTHER}"]
    with pytest.raises(InvalidRunConfig, match="beside them"):
        terms(b"\1" * 32, CREATOR, config, RunRules(1, profiles=(f"0x{OTHER}",)))


def test_without_words_nothing_is_changed() -> None:
    assert admitting(TINY, ()) is TINY


@pytest.mark.parametrize("words", [("exact",), ("bounded", "exact"), ("exact", "exact"), ("exact:1234", "portable")])
def test_other_words_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRunConfig, match="profiles"):
        admitting(TINY, words)


def test_a_portable_run_admits_nothing_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "profile_of", lambda _: pytest.fail("nothing is computed"))
    with pytest.raises(InvalidRunConfig, match="profile must be left"):
        admitting(replace(TINY, profile="portable"), ("exact", "portable"))
