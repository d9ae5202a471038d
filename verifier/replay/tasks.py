"""The workers' tasks, one thin function each: parse, call one function, return JSON.

A task gets the whole question; bytes come from the mirror's folder and are hashed. Missing bytes are an answer, not a
failure: the service fetches them and asks again, as it does where an origin is away.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

from celery.exceptions import SecurityWarning

from contracts.files.whole_file import DiskFull
from contracts.process.spawner import end_with_spawner
from contracts.protocol.run_config import RunConfig
from contracts.wire.fields import Object
from trainer.data.corpora import Corpora
from trainer.data.corpus import Corpus, CorpusUnreachable, WrongCorpus
from trainer.genesis.first_weights import WeightsUnreachable, WrongWeights, choose_weights
from trainer.model.device import choose_device
from trainer.model.own.errors import ModelPackageUnusable
from verifier.jobs.queue import make_app
from verifier.replay.combining import MERGE, combine
from verifier.replay.files import BytesMissing, Folder
from verifier.replay.holding import HOLD, measure
from verifier.replay.question import A, Away, Done, Late, Missing, Unable
from verifier.replay.replaying import JUDGE, CannotCompare, Said, TookTooLong, fetch_shards, judge_segment
from verifier.settings import MERGED, WorkerSettings

end_with_spawner()
warnings.filterwarnings("ignore", category=SecurityWarning)
"""Celery warns root, and users without a group, of messages that run code: only JSON is taken here."""
settings = WorkerSettings.of_this_process()
choose_device(settings.device)
choose_weights(settings.first_weights())
app = make_app(settings)


corpora = Corpora(settings.text())


def corpus(config: str) -> Corpus:
    """The text of a run, by its configuration."""
    return corpora.of(RunConfig.from_json(config))


def files() -> Folder:
    """The mirror's blobs."""
    return Folder(settings.blobs)


@app.task(name=HOLD.name, shared=False)  # type: ignore[untyped-decorator]
def hold(body: Object) -> Object:
    """The measurement of a gradient's file."""
    question = HOLD.question.from_json(body)
    return _reply(lambda: Done(measure(question, files())))


@app.task(name=JUDGE.name, shared=False)  # type: ignore[untyped-decorator]
def replay(body: Object, seconds: float) -> Object:
    """The word on a segment, and how long it took; none after so many seconds."""
    memory = settings.folder / "residuals"
    segment = JUDGE.question.from_json(body)

    def judge() -> Done[Said]:
        text = corpus(segment.config)
        fetch_shards(segment, text)
        began = time.monotonic()
        word = judge_segment(segment, files(), text, memory, seconds)
        return Done(word, time.monotonic() - began)

    return _reply(judge)


@app.task(name=MERGE.name, shared=False)  # type: ignore[untyped-decorator]
def merge(body: Object) -> Object:
    """The outer step of a round."""
    basis = MERGE.question.from_json(body)
    return _reply(lambda: Done(combine(basis, files(), corpus(basis.config), settings.folder / MERGED)))


def _reply(work: Callable[[], Done[A]]) -> Object:
    try:
        return work().to_json()
    except BytesMissing as error:
        return Missing(error.names).to_json()
    except TookTooLong as error:
        return Late(error.seconds).to_json()
    except (CorpusUnreachable, WeightsUnreachable, DiskFull) as error:
        return Away(error.detail).to_json()
    except (CannotCompare, ModelPackageUnusable, WrongCorpus, WrongWeights) as error:
        return Unable(error.detail).to_json()
