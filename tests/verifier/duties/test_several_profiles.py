"""Under which profile a verifier anchors in a run of several, and when it does not."""

from __future__ import annotations

import pytest

from contracts.ids import from_hex, to_hex
from contracts.protocol.configuration.profiles import AdmittedProfile, profiles_text
from contracts.protocol.run_config import RunConfig
from verifier.duties import anchor
from verifier.replica.errors import NotPrepared

pytestmark = pytest.mark.unit
A, B, P = ("0x" + name * 32 for name in ("aa", "bb", "cc"))
LISTED = (AdmittedProfile("portable", P), AdmittedProfile("exact", A), AdmittedProfile("exact", B))


def anchored(monkeypatch: pytest.MonkeyPatch, *own: str, listed: tuple[AdmittedProfile, ...] = LISTED) -> str:
    """On a machine that computes in these profiles."""
    config = RunConfig(profile="several", profiles=profiles_text(listed))
    monkeypatch.setattr(anchor, "computable", lambda _: {digest: config.under(digest) for digest in own})
    return to_hex(anchor._first_readable(config))


def test_the_exact_profile_comes_before_the_portable_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert anchored(monkeypatch, P, B) == B


def test_an_unlisted_machine_reads_portable_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert anchored(monkeypatch, P) == P


def test_who_lacks_the_portable_arithmetic_anchors_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules would seat it for portable work, and its silence would cost it stake."""
    with pytest.raises(NotPrepared, match="portable"):
        anchored(monkeypatch, A)


@pytest.mark.parametrize(("profile", "listed"), [("portable", (B,)), ("exact", (B,)), ("exact", (A, B))])
def test_a_machine_unlike_a_runs_one_profile_anchors_nothing(profile: str, listed: tuple[str, ...]) -> None:
    digests = [from_hex(name) for name in listed]
    with pytest.raises(NotPrepared, match="no replay here would stand"):
        anchor._check_listed(RunConfig(profile=profile), from_hex(A), digests)
    anchor._check_listed(RunConfig(profile=profile), from_hex(A), [from_hex(A)])
    anchor._check_listed(RunConfig(profile="portable"), from_hex(A), [from_hex(A), from_hex(B)])


def test_a_machine_of_none_of_the_profiles_anchors_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPrepared, match="none of the run's profiles"):
        anchored(monkeypatch, listed=LISTED[1:])
