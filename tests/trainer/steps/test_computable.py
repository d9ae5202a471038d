"""In which of a run's profiles this process computes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from contracts.ids import to_hex
from contracts.protocol.configuration.profiles import AdmittedProfile, profiles_text
from contracts.protocol.run_config import RunConfig
from trainer.portable.self_check import ArithmeticMismatch
from trainer.steps import determinism
from trainer.steps.computable import computable
from trainer.steps.determinism import configure_determinism

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def own() -> tuple[AdmittedProfile, AdmittedProfile]:
    """This machine's."""
    portable = AdmittedProfile("portable", to_hex(configure_determinism("portable").digest()))
    return portable, AdmittedProfile("exact", to_hex(configure_determinism("exact").digest()))


def several(*listed: AdmittedProfile) -> RunConfig:
    return RunConfig(profile="several", profiles=profiles_text(listed))


def test_own_profiles_come_in_the_runs_order(own: tuple[AdmittedProfile, AdmittedProfile]) -> None:
    portable, exact = own
    foreign = AdmittedProfile("exact", "0x" + "ee" * 32)
    assert list(computable(several(foreign, portable, exact))) == [portable.digest, exact.digest]
    found = computable(several(exact, portable))
    assert found == {exact.digest: RunConfig(), portable.digest: RunConfig(profile="portable")}
    assert list(found) == [exact.digest, portable.digest]


def test_a_run_of_one_profile_has_this_process_own(own: tuple[AdmittedProfile, AdmittedProfile]) -> None:
    assert computable(RunConfig()) == {own[1].digest: RunConfig()}


def test_threads_are_left_as_they_were(own: tuple[AdmittedProfile, AdmittedProfile]) -> None:
    """A portable node takes all of them; an exact step takes its one itself."""
    torch.set_num_threads(2)
    computable(several(*own))
    assert torch.get_num_threads() == 2


def test_a_machine_without_portable_arithmetic_is_exact(
    own: tuple[AdmittedProfile, AdmittedProfile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mismatch(*_: object) -> None:
        raise ArithmeticMismatch("other bits")

    monkeypatch.setattr(determinism, "check_arithmetic", mismatch)
    assert list(computable(several(*own))) == [own[1].digest]
