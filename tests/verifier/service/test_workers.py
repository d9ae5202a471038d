"""A real Celery worker over the mirror's folder: each task's answer, as the service asks for it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from contracts.chain.deployment import Deployment
from contracts.ids import RunId, as_address
from contracts.protocol.run_config import RunConfig
from tests.strange_names import STRANGE
from tests.verifier.honest import Honest
from verifier.jobs.queue import make_app
from verifier.jobs.workers import WorkerPool
from verifier.replay.combining import MERGE
from verifier.replay.holding import HOLD, refusal
from verifier.replay.pace import Effort
from verifier.replay.question import ReplayRequest
from verifier.replay.replaying import JUDGE, TRUE
from verifier.replay.work import Work
from verifier.settings import BLOBS, VerifierSettings

pytestmark = pytest.mark.integration


def settings(folder: Path, text: Path) -> VerifierSettings:
    nobody = as_address("0x" + "cd" * 20)
    deployment = Deployment(
        chain_id=1,
        block=0,
        name="m",
        model="0x" + "0" * 64,
        deployer=nobody,
        token=nobody,
        timelock=nobody,
        governor=nobody,
        verifier_registry=nobody,
        distributor=nobody,
        splitter=nobody,
        model_registry=nobody,
    )
    key = "0x" + bytes(Account.create().key).hex()
    return VerifierSettings(
        api_url="http://127.0.0.1:9",
        rpc_url="http://127.0.0.1:9",
        deployment=deployment,
        run=RunId("0x00"),
        key=key,
        folder=folder,
        data=(text,),
    )


def test_workers_hold_replay_and_merge(tmp_path: Path, work: Honest) -> None:
    """In a folder whose name would break an address, on a text in another one."""
    assert isinstance(work.config, RunConfig)
    text = tmp_path / f"data {STRANGE}" / "text.txt"
    text.parent.mkdir()
    shutil.copy(work.text, text)
    made = settings(tmp_path / STRANGE, text)
    held = made.folder / BLOBS / "held"
    held.mkdir(parents=True)
    for name, data in work.shelf().held.items():
        (held / name).write_bytes(data)
    (held / work.blob(2)).write_bytes(b"spoilt")
    app = make_app(made)
    said: list[tuple[str, str]] = []
    asking = Work(lambda: app.jobs, lambda name: (held / name).exists(), 2, lambda *why: said.append(why))
    requests: list[ReplayRequest[Any, Any]] = [
        ReplayRequest(HOLD, "0xproof", "hold", work.held().question),
        ReplayRequest(JUDGE, "0xproof", "segment 1", work.segment(1, common=True)),
        ReplayRequest(JUDGE, "0xproof", "segment 2", work.segment(2)),
        ReplayRequest(MERGE, "0xproof", "merge 1", work.basis()),
    ]
    found: dict[str, Any] = {}
    end = time.monotonic() + 600
    with WorkerPool(made.worker_command(), {**os.environ, **made.to_environment()}, 1):
        while time.monotonic() < end and len(found) < 4:
            for request in requests:
                effort = Effort(work.config.to_json(), 60.0) if request.task is JUDGE else None
                answer = asking.ask(request, (), (), effort) if request.name not in found else None
                if answer is not None:
                    found[request.name] = answer
            if "segment 2" not in found and not (held / work.blob(2)).exists():
                (held / work.blob(2)).write_bytes(work.shelf().held[work.blob(2)])  # it was fetched again
            time.sleep(0.1)
    assert sorted(found) == sorted(request.name for request in requests), said
    assert refusal(work.held(), found["hold"]) == ""
    assert [found[f"segment {number}"].word for number in (1, 2)] == [TRUE, TRUE]
    assert found["segment 1"].trace.startswith("0x")
    assert (made.folder / "merged" / found["merge 1"].theta_blob).exists()
    assert said == []
