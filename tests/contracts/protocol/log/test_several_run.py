"""A run of several profiles lists them twice, in its configuration and in its manifest: one list, or no run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from contracts.errors import BadField
from contracts.ids import as_address, to_hex
from contracts.messages.signatures import sign
from contracts.protocol.configuration.profiles import AdmittedProfile, profiles_text, readers_of
from contracts.protocol.judge.facts import RunCreated
from contracts.protocol.log.leaf import read, write
from contracts.protocol.log.signed import Envelope
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.log.test_leaf import CONFIG, DOMAIN, TERMS

pytestmark = pytest.mark.unit
CREATOR = Account.from_key(b"\1" * 32)
A, B, P = b"\3" * 32, b"\4" * 32, b"\5" * 32
LISTED = (AdmittedProfile("exact", to_hex(A)), AdmittedProfile("portable", to_hex(P)))
SEVERAL = replace(CONFIG, profile="several", profiles=profiles_text(LISTED))


def created(config: RunConfig, *profiles: bytes, **beside: object) -> RunCreated:
    """The run as every copy of the log reads it."""
    terms = replace(TERMS, config=config.digest(), profiles=profiles)
    envelope = Envelope(terms, (sign(terms, DOMAIN, bytes(CREATOR.key)),), {"config": config.to_json(), **beside})
    found = read(write(envelope), DOMAIN, as_address)
    assert isinstance(found, RunCreated)
    return found


def test_who_reads_whom_follows_from_the_list() -> None:
    terms = created(SEVERAL, A, P).terms
    assert (terms.exact, terms.several) == (True, True)
    assert terms.pairs == readers_of(LISTED)


def test_an_exact_run_with_other_digests_is_as_it_was() -> None:
    terms = created(CONFIG, A, B).terms
    assert (terms.pairs, terms.several) == (None, False)


@pytest.mark.parametrize("profiles", [(A,), (P, A), (A, B), (A, P, B), ()])
def test_another_list_in_the_manifest_is_refused(profiles: tuple[bytes, ...]) -> None:
    with pytest.raises(BadField, match="profiles"):
        created(SEVERAL, *profiles)


def test_a_table_of_limits_beside_several_profiles_is_refused() -> None:
    with pytest.raises(BadField, match="limits"):
        created(SEVERAL, A, P, limits="[]")
