"""The demo, act by act. It starts processes, waits for their public results, and reads the outcome back."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from types import FrameType

from commonweight.demo.acts.comparing import finish_baselines, start_baselines
from commonweight.demo.acts.opening import open_chain, open_run
from commonweight.demo.acts.settling import settle
from commonweight.demo.acts.training import train_together
from commonweight.demo.acts.voting import obey, vote
from commonweight.demo.cast import PASSPHRASE
from commonweight.demo.live import DemoBoard
from commonweight.demo.narrator import Narrator
from commonweight.demo.outcome import Outcome, Summary
from commonweight.demo.processes import Processes
from commonweight.demo.report import print_summary, write_report
from commonweight.demo.stage import DemoSettings, DemoStage
from commonweight.demo.summary import Source, collect
from commonweight.terminal.console import complain, console, emit, mention, speaks_json
from contracts.errors import CommonweightError
from contracts.files.whole_file import save_file
from contracts.ids import RunId

MARK = ".commonweight-demo"
INTERRUPTED = 130


class FolderRefused(CommonweightError):
    """The demo empties its folder first, and will not do so to one that holds anything else."""

    code = "folder-refused"


def run_demo(settings: DemoSettings) -> int:
    """Play all acts; 0 if every equality holds. Whatever happens, no process stays behind."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    begun = time.monotonic()
    try:
        make_folder(settings.out)
        outcome, baselines = _play(settings)
    except KeyboardInterrupt:
        mention("interrupted", {}, "interrupted; every process was ended")
        return INTERRUPTED
    except CommonweightError as error:
        complain(error)
        return 1
    seconds = round(time.monotonic() - begun, 1)
    summary = Summary(**dict(outcome), seed=settings.seed, seconds=seconds, baselines=baselines)
    page = write_report(settings.out, summary)
    save_file(settings.out / "summary.json", json.dumps(summary.to_json(), indent=1, sort_keys=True))
    if speaks_json():
        emit(summary.to_json() | {"event": "summary", "page": str(page)})
    else:
        print_summary(summary, page)
    return 0 if all(summary.checks.values()) else 1


def make_folder(out: Path) -> None:
    """Make an empty folder with our mark. Raises FolderRefused for one with files that no demo wrote."""
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise FolderRefused(f"{out} is not empty and no demo wrote it; choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).write_text("`commonweight demo` wrote this folder and empties it before the next run.\n")


def _play(settings: DemoSettings) -> tuple[Outcome, dict[str, list[float]]]:
    narrator = Narrator(console)
    logs = settings.out / "logs"
    with DemoBoard(console, wanted=not speaks_json()) as board, Processes(logs, PASSPHRASE) as processes:
        stage = DemoStage(settings, processes, narrator, board)
        stage.cast.prepare()
        open_chain(stage)
        open_run(stage)
        train_together(stage)
        settle(stage)
        proposal = vote(stage)
        rounds = obey(stage)
        start_baselines(stage, rounds)
        outcome = collect(Source(stage.client, stage.rpc, RunId(stage.run), stage.cast, proposal, rounds))
        return outcome, finish_baselines(stage)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """The first signal ends the demo; a second one must not cut that short."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
