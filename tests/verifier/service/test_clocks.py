"""A verifier whose clock was far ahead once is believed again, from a new folder too; and it names its clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from contracts.messages.for_log import MirrorAddress
from contracts.process.clock_watch import ClockWatch
from tests.verifier.real_run import LocalWork, town
from verifier.duties.progress import VerifierProgress
from verifier.service.service import VerifierProcess

pytestmark = pytest.mark.integration

HOURS, YEARS = 6 * 3600, 10 * 365 * 86_400


@pytest.mark.parametrize("ahead", [HOURS, YEARS])
def test_an_address_from_the_future_is_replaced_by_the_right_one(tmp_path: Path, ahead: int) -> None:
    with town(tmp_path, nodes=1, verifiers=3) as found:
        found.turn()
        process, far = found.processes[1], int(time.time()) + ahead
        process.world.voice.say(MirrorAddress(process.address, "http://127.0.0.1:9", far))
        assert process.mirror.book.newest()[process.address].sequence == far
        found.turn()
        now = process.mirror.book.newest()[process.address]
        assert (now.url, now.sequence) == (process.url, far + 1)
        for _ in range(3):
            found.turn()
        process.__exit__()
        settings = process.settings.model_copy(update={"folder": tmp_path / "another folder"})
        fresh = VerifierProcess(settings, found.said[process.address].append, found.chain)
        fresh.world.work = LocalWork(settings.folder, found.run.corpus)  # type: ignore[assignment]
        found.processes[1] = found.stack.enter_context(fresh)
        for _ in range(10):
            found.turn()
        now = fresh.mirror.book.newest()[fresh.address]
        assert now.url == fresh.url
        assert now.sequence > far + 1, "it learned from the others what it had said"
        assert found.addresses[fresh.address]["message"]["url"] == fresh.url


@pytest.mark.parametrize(("wrong", "way"), [(HOURS, "ahead of"), (-HOURS, "behind")])
def test_a_verifier_names_its_clock_and_works_on(tmp_path: Path, wrong: int, way: str) -> None:
    with town(tmp_path, nodes=1, verifiers=3) as found:
        process, said = found.processes[0], list[VerifierProgress]()
        process._clock = ClockWatch(
            lambda detail: said.append(VerifierProgress("clock", detail=detail)), lambda: found.run.time + wrong
        )
        for _ in range(12):
            found.turn()
            if found.run.state.proofs and said:
                break
        assert found.run.state.proofs, "the round went on"
        assert [way in line.detail for line in said] == [True]
