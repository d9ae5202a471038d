"""What the workers do, one thin task each: parse, call one function, return JSON.

A task that raises has used up one try of its row; Celery itself retries nothing (`verifier.dispatch`). What a task has
to believe comes with it, from the log as the service audited it (`verifier.replica`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from trainer.client import ApiClient
from trainer.corpus import Corpus, corpus_of
from trainer.device import choose_device
from verifier import appeals, checks, outer_step
from verifier.errors import CheckFailed
from verifier.queue import make_app
from verifier.settings import VerifierSettings

settings = VerifierSettings.from_environment()
choose_device(settings.device)
app = make_app(settings)


def client() -> ApiClient:
    """One connection per worker process; blobs are shared with its siblings through the folder."""
    return _client(settings)


def corpus() -> Corpus:
    """The run's text."""
    return _corpus(settings.data)


@cache
def _client(settings: VerifierSettings) -> ApiClient:
    return ApiClient(settings.api_url, settings.key, settings.folder / "blobs")


_corpus = cache(corpus_of)


@app.task(name="verifier.check_segment", shared=False)  # type: ignore[untyped-decorator]
def check_segment(proof: str, segment: int, facts: dict[str, Any]) -> dict[str, Any]:
    """Replay one segment."""
    try:
        found = checks.check_segment(_case(proof, facts), segment, corpus(), settings.folder / "residuals")
    except CheckFailed as failure:
        return _failure(failure)
    measured, trace = str(found.comparison.error), found.trace.hex()
    return {"failed": False, "segment": segment, "measured": measured, "trace": trace}


@app.task(name="verifier.check_end", shared=False)  # type: ignore[untyped-decorator]
def check_end(proof: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Check binding and end of one proof."""
    case = _case(proof, facts)
    try:
        checks.check_binding(case)
        checks.check_end(case)
    except CheckFailed as failure:
        return _failure(failure)
    return {"failed": False, "segment": case.last_segment, "measured": "0"}


@app.task(name="verifier.merge", shared=False)  # type: ignore[untyped-decorator]
def merge(run: str, number: int, basis: dict[str, Any]) -> dict[str, Any]:
    """Compute the outer step of a round and upload it."""
    return outer_step.compute(client(), run, number, basis, corpus())


@app.task(name="verifier.named_state", shared=False)  # type: ignore[untyped-decorator]
def named_state(proof: str, segment: int, step: int) -> dict[str, Any]:
    """As respondent of an appeal: what this verifier calls the state after a step."""
    return {"state": appeals.named_state(_case(proof), segment, step, corpus()).hex()}


@app.task(name="verifier.judge", shared=False)  # type: ignore[untyped-decorator]
def judge(proof: str) -> dict[str, Any]:
    """As panel member of an appeal: replay the one step that is left."""
    return appeals.judgement(_case(proof), client().get(f"/appeals/{proof}"), corpus())


def _case(proof: str, facts: dict[str, Any] | None = None) -> checks.Case:
    return checks.Case.asked(client(), proof, facts)


def _failure(failure: CheckFailed) -> dict[str, Any]:
    return {
        "failed": True, "reason": int(failure.reason), "segment": failure.segment, "detail": failure.detail,
        "measured": str(failure.measured), "limit": str(failure.limit), "trace": failure.trace.hex(),
    }  # fmt: skip
