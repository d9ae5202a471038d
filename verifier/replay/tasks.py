"""What the workers do, one thin task each: parse, call one function, return JSON.

A task gets all that it has to believe; bytes come from the mirror's folder and are hashed. Bytes that are not there
are an answer, not a failure: the service fetches them and asks again.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict
from functools import cache
from typing import Any

from celery.exceptions import SecurityWarning

from contracts.errors import CommonweightError
from contracts.process.spawner import end_with_spawner
from trainer.data.corpus import Corpus, corpus_of
from trainer.model.device import choose_device
from verifier.jobs.queue import make_app
from verifier.replay.combining import Basis, combine
from verifier.replay.files import BytesMissing, Folder
from verifier.replay.holding import Question, measure
from verifier.replay.replaying import CannotCompare, Segment, TookTooLong, judge_segment
from verifier.settings import MERGED, WorkerSettings

end_with_spawner()
warnings.filterwarnings("ignore", category=SecurityWarning)
"""Celery warns root, and who is in no group, of messages that run code: only JSON is taken here."""
settings = WorkerSettings.of_this_process()
choose_device(settings.device)
app = make_app(settings)


@cache
def corpus() -> Corpus:
    """The run's text."""
    return corpus_of(settings.data)


def files() -> Folder:
    """The mirror's blobs."""
    return Folder(settings.blobs)


@app.task(name="duty.hold", shared=False)  # type: ignore[untyped-decorator]
def hold(asked: dict[str, Any]) -> dict[str, Any]:
    """What a gradient's file is."""
    try:
        return measure(Question.from_json(asked), files()).to_json()
    except BytesMissing as error:
        return _missing(error)


@app.task(name="duty.replay", shared=False)  # type: ignore[untyped-decorator]
def replay(asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The word on a segment, and how long it took; none after so many seconds."""
    began = time.monotonic()
    memory = settings.folder / "residuals"
    try:
        said = judge_segment(Segment.from_json(asked), files(), corpus(), memory, seconds)
        return {**said.to_json(), "took": time.monotonic() - began}
    except TookTooLong as error:
        return {"late": error.seconds}
    except BytesMissing as error:
        return _missing(error)
    except CannotCompare as error:
        return _unable(error)


@app.task(name="duty.merge", shared=False)  # type: ignore[untyped-decorator]
def merge(asked: dict[str, Any]) -> dict[str, Any]:
    """The outer step of a round."""
    try:
        return asdict(combine(Basis.from_json(asked), files(), corpus(), settings.folder / MERGED))
    except BytesMissing as error:
        return _missing(error)


def _missing(error: BytesMissing) -> dict[str, Any]:
    return {"missing": list(error.names)}


def _unable(error: CommonweightError) -> dict[str, Any]:
    return {"unable": error.detail}
