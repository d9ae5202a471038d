"""What hinders a worker is an answer: weather that passes, or what no time heals."""

from __future__ import annotations

import pytest

from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull
from trainer.data.corpus import CorpusUnreachable, WrongCorpus
from trainer.genesis.first_weights import WeightsUnreachable, WrongWeights
from trainer.model.own.errors import ModelPackageMissing
from verifier.replay import tasks
from verifier.replay.question import Done
from verifier.replay.replaying import CannotCompare, Said

pytestmark = pytest.mark.unit
WEATHER = (CorpusUnreachable, WeightsUnreachable, DiskFull)
LASTING = (CannotCompare, ModelPackageMissing, WrongCorpus, WrongWeights)


@pytest.mark.parametrize("kind", [*WEATHER, *LASTING])
def test_what_hinders_a_worker_is_an_answer(kind: type[CommonweightError]) -> None:
    def work() -> Done[Said]:
        raise kind("not now")

    assert tasks._reply(work) == {"away" if kind in WEATHER else "unable": "not now"}
