"""`commonweight verifier`: replay and judge the work of nodes."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import console, report_lines, speaks_json, tell
from commonweight.terminal.lifetime import LAST_ANSWER_SECONDS, heed_signals
from commonweight.terminal.logs import log_to_stderr
from commonweight.terminal.options import (
    DEFAULT_API,
    DEFAULT_RPC,
    Api,
    Corpus,
    CorpusMirrors,
    Data,
    DeploymentFile,
    Device,
    FinalityDepth,
    Folder,
    GiveUpAfter,
    Keystore,
    Rpcs,
    RunId,
    Weights,
    chain_nodes,
    read_broker,
    read_public_url,
)
from commonweight.terminal.variables import VERIFIER, with_variables
from contracts import ids

Run = with_variables(
    VERIFIER,
    "rpc_url",
    "deployment",
    "run",
    "folder",
    "data",
    "corpus",
    "corpus_mirrors",
    "weights",
    "host",
    "port",
    "public_url",
    "give_up_after",
    "broker_url",
    "device",
    "finality_depth",
    api="api_url",
)
app = typer.Typer(no_args_is_help=True, help="Verify the work of nodes as an admitted verifier.")


@app.command("run", cls=Run)
def run_(
    keystore: Keystore,
    run: RunId,
    deployment: DeploymentFile,
    api: Api = DEFAULT_API,
    rpc_url: Rpcs = None,
    finality_depth: FinalityDepth = None,
    folder: Folder = Path("commonweight-verifier"),
    data: Data = None,
    corpus: Corpus = "",
    corpus_mirrors: CorpusMirrors = None,
    weights: Weights = "",
    host: Annotated[str, typer.Option(help="Address on which the mirror listens.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on which the mirror listens; 0 for a free one.")
    ] = 0,
    public_url: Annotated[
        str,
        typer.Option(
            parser=read_public_url,
            metavar="URL",
            help="Public URL of the mirror; - for none. Default: this machine's, if the server is on it too.",
        ),
    ] = "",
    workers: Annotated[
        int, typer.Option(min=0, help="Number of Celery workers to start; 0 if they run elsewhere.")
    ] = 1,
    broker_url: Annotated[
        str,
        typer.Option(
            parser=read_broker, metavar="URL", help="URL of the Celery broker. Default: a folder, without a server."
        ),
    ] = "",
    device: Device = "cpu",
    give_up_after: GiveUpAfter = 0.0,
) -> None:
    """Run a verifier: mirror the log, replay and judge proofs, merge rounds, and sign payout roots."""
    from commonweight.model.known_model import joined
    from commonweight.terminal.verifier_board import LiveBoard, showing
    from contracts.chain.connection import connect
    from contracts.mirrors.places import is_loopback
    from trainer.model.device import choose_device
    from verifier.jobs.workers import WorkerPool
    from verifier.service.service import VerifierProcess
    from verifier.settings import VerifierSettings

    stop = heed_signals()
    log_to_stderr()
    choose_device(device)  # refused here rather than by each worker
    account = open_keystore(keystore)
    urls = rpc_url or [DEFAULT_RPC]
    key = account.key.hex()
    w3 = connect(*urls, finality_depth=finality_depth)
    settings = VerifierSettings(
        **chain_nodes(urls),
        api_url=api,
        deployment=joined(deployment, w3, folder, ("verifier", account.address, ""), stop, give_up_after),
        run=ids.RunId(run),
        key=key,
        folder=folder,
        data=tuple(data or ()),
        corpus=corpus,
        corpus_mirrors=tuple(corpus_mirrors or ()),
        weights=weights,
        host=host,
        port=port,
        public_url=public_url,
        loopback=is_loopback(api),
        give_up_after=give_up_after,
        broker_url=broker_url,
        device=device,
        finality_depth=finality_depth,
    )
    report = report_lines() if speaks_json() or not console.is_terminal else LiveBoard(console)
    process = VerifierProcess(settings, report)
    environment = os.environ | settings.to_environment()
    pool = WorkerPool(settings.worker_command(), environment, workers, settings.workers_log)
    with pool, showing(report):
        process.run(stop.watched(partial(process.leave, LAST_ANSWER_SECONDS)))


@app.command("jobs")
def jobs(folder: Folder = Path("commonweight-verifier")) -> None:
    """List the checks that were abandoned after too many failures, with the last error. Their proofs stay undecided."""
    from commonweight.kept import NoFolder
    from verifier.jobs.rows import FILE_NAME, JobRows, JobState

    if not folder.is_dir():
        raise NoFolder(f"there is no folder {folder}; give the --folder of a verifier")
    rows = JobRows(folder / FILE_NAME).listed(JobState.DEAD)
    for job in rows:
        line = {"proof": job.key.subject, "check": job.key.name, "why": job.reason()}
        tell(line, [f"{line['proof']}  {line['check']}\n{line['why']}\n"])
    if not rows:
        tell((), ["no check was abandoned"])
