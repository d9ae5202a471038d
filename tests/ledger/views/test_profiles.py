"""The profiles that a run admits, as people read them: by the rules, for nodes and verifiers of each."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.ids import RunId, to_hex
from contracts.messages.for_log import Enrolment
from contracts.protocol.configuration.profiles import AdmittedProfile, profiles_text
from contracts.wire.runs import ProfileLine
from ledger.context import Ledger
from ledger.errors import NotFound
from ledger.views.profiles import admitted_profiles
from tests.contracts.protocol.log.signed_run import PROFILE, SignedRun, key

pytestmark = pytest.mark.unit
OTHER, PORTABLE = b"\4" * 32, b"\5" * 32
LISTED = (
    AdmittedProfile("exact", to_hex(PROFILE)),
    AdmittedProfile("exact", to_hex(OTHER)),
    AdmittedProfile("portable", to_hex(PORTABLE)),
)


def shown(run: SignedRun, name: RunId | None = None) -> list[ProfileLine]:
    """Three verifiers under PROFILE, k = 2."""
    ledger: Any = SimpleNamespace(
        store=SimpleNamespace(read=lambda: nullcontext(None)),
        judge=SimpleNamespace(view=lambda _: nullcontext(run.state)),
    )
    return admitted_profiles(cast(Ledger, ledger), name or RunId(to_hex(run.run)))


def test_each_profile_names_its_readers_and_its_nodes() -> None:
    listed = tuple(bytes.fromhex(profile.digest[2:]) for profile in LISTED)
    several = {"profile": "several", "profiles": profiles_text(LISTED)}
    run = SignedRun(config=several, profiles=listed, minNodes=9)
    late = key("a portable node")
    run.send(Enrolment(run.run, late.address, late.address, 1, PORTABLE, 1), late)
    everybody = sorted(verifier.address for verifier in run.verifiers)
    exact, other, portable = shown(run)
    assert [line.name for line in (exact, other, portable)] == ["exact", "exact", "portable"]
    assert (exact.verifiers, exact.is_read, exact.needed) == (everybody, True, 3)
    assert (exact.nodes, exact.count) == (sorted(node.address for node in run.nodes), len(run.nodes))
    assert (other.verifiers, other.is_read, other.nodes, other.count) == ([], False, [], 0)
    assert (portable.verifiers, portable.is_read, portable.nodes) == (everybody, True, [late.address])


def test_a_run_of_one_profile_shows_it_too() -> None:
    (line,) = shown(SignedRun())
    assert (line.profile, line.name, line.is_read, len(line.verifiers)) == (to_hex(PROFILE), "exact", True, 3)


def test_an_unknown_run_is_not_found() -> None:
    with pytest.raises(NotFound):
        shown(SignedRun(), RunId("0x" + "99" * 32))
