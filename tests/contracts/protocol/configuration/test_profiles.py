"""The list of a run's profiles: one spelling, a portable one at most, and what follows for who reads whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.protocol.configuration.field_checks import InvalidRunConfig
from contracts.protocol.configuration.profiles import AdmittedProfile, parse_profiles, profiles_text, readers_of
from contracts.protocol.run_config import RunConfig

pytestmark = pytest.mark.unit
A, B, P = "0x" + "aa" * 32, "0x" + "bb" * 32, "0x" + "cc" * 32
LISTED = (AdmittedProfile("portable", P), AdmittedProfile("exact", A), AdmittedProfile("exact", B))
TEXT = profiles_text(LISTED)
SEVERAL = RunConfig(profile="several", profiles=TEXT)


def test_a_list_is_read_as_it_was_written() -> None:
    assert parse_profiles(TEXT) == LISTED
    assert parse_profiles("") == ()


@pytest.mark.parametrize(
    "text",
    [
        7,
        f"exact:{'aa' * 32}",
        f"exact:{'aa' * 32},exact:{'aa' * 32}",
        f"exact:{'aa' * 32},portable:{'aa' * 32}",
        f"portable:{'aa' * 32},portable:{'bb' * 32}",
        f"bounded:{'aa' * 32},exact:{'bb' * 32}",
        f"exact:{A},exact:{B}",
        f"exact:{'AA' * 32},exact:{'bb' * 32}",
        f"exact:{'aa' * 32}, exact:{'bb' * 32}",
        f"exact:{'aa' * 32},exact:{'bb' * 32},",
        f"exact{'aa' * 32},exact:{'bb' * 32}",
        ",".join(f"exact:{number:064x}" for number in range(33)),
    ],
)
def test_any_other_text_is_refused(text: object) -> None:
    """No bounded profile stands beside others: whoever chose it would be judged by looser rules."""
    with pytest.raises(InvalidRunConfig, match="profiles"):
        parse_profiles(text)


def test_everybody_reads_the_portable_profile_and_each_its_own() -> None:
    assert readers_of(LISTED) == {(A, A), (B, B), (P, P), (P, A), (P, B)}


def test_the_list_and_the_word_several_go_together() -> None:
    with pytest.raises(InvalidRunConfig, match="profiles"):
        RunConfig(profiles=TEXT)
    with pytest.raises(InvalidRunConfig, match="profiles"):
        RunConfig(profile="several")


def test_a_run_of_one_profile_keeps_its_text_and_digest() -> None:
    """The digest is that of the configuration before there was such a list."""
    assert "profiles" not in RunConfig().to_json()
    text = SEVERAL.to_json()
    assert RunConfig.from_json(text) == SEVERAL
    assert RunConfig.from_json(text).to_json() == text


def test_a_node_computes_as_in_a_run_of_its_own_profile() -> None:
    assert SEVERAL.under(A) == RunConfig()
    assert SEVERAL.under(P) == RunConfig(profile="portable")
    assert RunConfig().under("0x00") == RunConfig()
    with pytest.raises(InvalidRunConfig, match="profiles"):
        SEVERAL.under("0x" + "dd" * 32)


def test_what_one_of_the_profiles_lacks_no_run_of_them_has() -> None:
    exact = replace(SEVERAL, profiles=profiles_text(LISTED[1:]))
    assert replace(exact, precision="bf16", document_end=3).under(A) == RunConfig(precision="bf16", document_end=3)
    with pytest.raises(InvalidRunConfig, match="precision"):
        replace(SEVERAL, precision="bf16")
    with pytest.raises(InvalidRunConfig, match="document_end"):
        replace(SEVERAL, document_end=3)


def test_holders_do_not_vote_on_profiles() -> None:
    for key in ("profile", "profiles"):
        with pytest.raises(InvalidRunConfig, match="cannot be voted on"):
            SEVERAL.with_decision(key, TEXT)
