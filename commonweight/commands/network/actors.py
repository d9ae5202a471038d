"""Commands that run a part: chain, server, node, verifier, and the demo of them all."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.commands.network import faucet
from commonweight.commands.options import (
    DEFAULT_API,
    DEFAULT_RPC,
    AccountGas,
    Api,
    DailyGas,
    Data,
    DatabaseUrl,
    DeploymentFile,
    Device,
    FinalityDepth,
    GiveUpAfter,
    Keystore,
    LogLevel,
    LogShape,
    LostEnd,
    MaxFee,
    ReplaceSeconds,
    Rpcs,
    RunId,
    database_address,
    read_address,
    read_broker,
    read_seconds,
    read_url_or_none,
)
from commonweight.keystore import open_keystore
from commonweight.terminal.console import console, report_lines, speaks_json, tell
from commonweight.terminal.lifetime import LAST_ANSWER_SECONDS, heed_signals
from commonweight.terminal.logs import Level, LogFormat, log_to_stderr
from commonweight.terminal.waiting import wait_for
from trainer.cheats import CHEATS

if TYPE_CHECKING:
    from fastapi import FastAPI

chain_app = typer.Typer(invoke_without_command=True)
verifier_app = typer.Typer(no_args_is_help=True, help="Verify other people's steps and be trusted for it.")
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")]
Folder = Annotated[Path, typer.Option("--folder", help="Where this process keeps its files.")]


def demo(
    seed: Annotated[int, typer.Option(help="Same seed, bit-identical training.")] = 1,
    data: Data = None,
    out: Annotated[Path, typer.Option(help="Folder for logs and the report page.")] = Path("commonweight-demo"),
    rpc_url: Annotated[str, typer.Option("--rpc-url", help="Another EVM node instead of the embedded chain.")] = "",
) -> None:
    """The main job on this machine: train together, catch a cheat, claim shares, vote, and obey the vote."""
    from commonweight.demo.stage import DemoSettings
    from commonweight.demo.story import run_demo

    raise typer.Exit(run_demo(DemoSettings(seed, tuple(data or ()), out, rpc_url)))


def chain(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8545,
    block_time: Annotated[
        float, typer.Option(min=0.01, max=86_400, callback=read_seconds, help="Seconds between empty blocks.")
    ] = 1.0,
    fund: Annotated[
        list[str] | None,
        typer.Option(parser=read_address, metavar="ADDRESS", help="Address that holds 10,000 coins at genesis."),
    ] = None,
) -> None:
    """Serve the embedded chain over JSON-RPC. Its state lives in memory: for trying out, not for keeping."""
    if context.invoked_subcommand is not None:
        return
    from contracts.devnet.http import serve

    def started(url: str, chain_id: int) -> None:
        tell({"event": "serving", "chain_id": chain_id, "url": url}, [f"chain {chain_id} at {url}"])

    serve(host, port, block_time, fund or (), stop=heed_signals().watched(), started=started)


chain_app.callback()(chain)
chain_app.command("fund")(faucet.fund)
chain_app.command("currency")(faucet.currency)


def serve(
    deployment: DeploymentFile,
    keystore: Keystore,
    host: Host = "127.0.0.1",
    port: Port = 8800,
    rpc_url: Rpcs = None,
    finality_depth: FinalityDepth = None,
    folder: Folder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    keeper: Annotated[bool, typer.Option(help="Also move rounds, transactions and votes on.")] = True,
    max_fee_per_gas: MaxFee = 500 * 10**9,
    replace_seconds: ReplaceSeconds = 60,
    account_gas: AccountGas = 12_000_000,
    daily_gas: DailyGas = 300_000_000,
    log_level: LogLevel = Level.INFO,
    log_format: LogShape = LogFormat.TEXT,
    accept_lost_end: LostEnd = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Page whose scripts may read answers (CORS), or *."),
    ] = None,
    connections_per_address: Annotated[
        int,
        typer.Option(min=0, help="Most open connections of one address; 0 for any number, behind a proxy elsewhere."),
    ] = 64,
) -> None:
    """Run the API over a ledger. The key pays gas and signs tree heads; it can mint nothing."""
    from api.app import begin, create_app
    from api.settings import ServerSettings
    from commonweight.model.known_model import joined
    from commonweight.terminal.serving import serve_until
    from contracts.chain.connection import connect, hang_up

    stop, account, urls = heed_signals(), open_keystore(keystore), rpc_url or [DEFAULT_RPC]
    log_to_stderr(log_level, log_format)
    key = account.key.hex()
    joined(deployment, connect(*urls, finality_depth=finality_depth), folder, ("server", account.address, ""), stop)
    url = database_address(folder, database_url)
    settings = ServerSettings(
        urls[0],
        deployment,
        key,
        url,
        folder / "blobs",
        keeper=keeper,
        max_fee_per_gas=max_fee_per_gas,
        replace_seconds=replace_seconds,
        account_gas=account_gas,
        daily_gas=daily_gas,
        allow_origins=tuple(allow_origin or ()),
        accept_lost_end=accept_lost_end,
        other_rpc_urls=tuple(urls[1:]),
        finality_depth=finality_depth,
    )

    def begun() -> FastAPI:
        app = create_app(settings)
        begin(app)
        return app

    app = wait_for("chain or database", begun, stop)
    leaving = partial(hang_up, app.state.ledger.chain.w3, LAST_ANSWER_SECONDS)
    serve_until(stop, app, host, port, connections_per_address, leaving)


def node(
    keystore: Keystore,
    run: RunId,
    deployment: DeploymentFile,
    payout: Annotated[
        str,
        typer.Option(
            parser=read_address, metavar="ADDRESS", help="Address that is paid for the rounds that open from now on."
        ),
    ],
    api: Api = DEFAULT_API,
    rpc_url: Annotated[
        str,
        typer.Option(
            "--rpc-url",
            envvar="COMMONWEIGHT_RPC",
            parser=read_url_or_none,
            metavar="URL",
            help="A chain node that says who the verifiers are; without one the log is believed.",
        ),
    ] = "",
    folder: Folder = Path("commonweight-node"),
    data: Data = None,
    from_round: Annotated[int, typer.Option(min=1, help="First round to take part in.")] = 1,
    cheat: Annotated[
        str | None, typer.Option(help=f"Misbehave in a named way, to see it caught: {', '.join(CHEATS)}.")
    ] = None,
    canary_rate: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of rounds with one bad segment on purpose, unpaid, to test verifiers."),
    ] = 0.0,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads, in a bounded run.")] = 1,
    attention: Annotated[str, typer.Option(help="Attention kernel in a bounded run: flash or math.")] = "flash",
    adamw: Annotated[str, typer.Option(help="AdamW kernel in a bounded run: foreach, loop or fused.")] = "foreach",
    micro_batches: Annotated[int, typer.Option(min=1, help="Parts of a batch, in a bounded run.")] = 1,
    device: Device = "cpu",
    give_up_after: GiveUpAfter = 0.0,
    unjudged: Annotated[
        bool,
        typer.Option("--unjudged", help="Enrol also where no verifier computes as this machine does."),
    ] = False,
) -> None:
    """Train with the others: enrol, run inner steps, commit, open what verifiers ask for, be paid."""
    from commonweight.model.known_model import joined
    from contracts.chain.connection import connect
    from trainer.model.device import choose_device
    from trainer.node.node import run_light_node
    from trainer.node.settings import LightSettings
    from trainer.steps.variants import Variant, choose

    stop = heed_signals()
    log_to_stderr()
    choose_device(device)
    choose(Variant(threads, attention=attention, adamw=adamw, micro_batches=micro_batches))
    account = open_keystore(keystore)
    key, w3 = account.key.hex(), connect(rpc_url) if rpc_url else None
    settings = LightSettings(
        api,
        joined(deployment, w3, folder, ("node", account.address, run), stop, give_up_after),
        rpc_url,
        run,
        key,
        payout,
        folder,
        tuple(data or ()),
        from_round,
        cheat,
        round(canary_rate * 1_000_000),
        give_up_after=give_up_after,
        unjudged=unjudged,
    )
    run_light_node(settings, report_lines(), stop.watched())


@verifier_app.command("run")
def verifier_run(
    keystore: Keystore,
    run: RunId,
    deployment: DeploymentFile,
    api: Api = DEFAULT_API,
    rpc_url: Rpcs = None,
    finality_depth: FinalityDepth = None,
    folder: Folder = Path("commonweight-verifier"),
    data: Data = None,
    host: Annotated[str, typer.Option(help="Address on which the mirror listens.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on which the mirror listens; 0 for a free one.")
    ] = 0,
    public_url: Annotated[
        str,
        typer.Option(
            parser=read_url_or_none,
            metavar="URL",
            help="Where others reach the mirror. Without it: on this machine, or by nobody.",
        ),
    ] = "",
    workers: Annotated[int, typer.Option(min=0, help="Celery workers to start beside; 0 if they run elsewhere.")] = 1,
    broker_url: Annotated[
        str,
        typer.Option(parser=read_broker, metavar="URL", help="Celery broker; default: a folder, no server needed."),
    ] = "",
    device: Device = "cpu",
    give_up_after: GiveUpAfter = 0.0,
) -> None:
    """Mirror the log, draw, replay and judge proofs, merge rounds, sign payout roots: all by one's own machine."""
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
    account, urls = open_keystore(keystore), rpc_url or [DEFAULT_RPC]
    key, w3 = account.key.hex(), connect(*urls, finality_depth=finality_depth)
    settings = VerifierSettings(
        api,
        urls[0],
        joined(deployment, w3, folder, ("verifier", account.address, ""), stop, give_up_after),
        run,
        key,
        folder,
        tuple(data or ()),
        host,
        port,
        public_url,
        loopback=is_loopback(api),
        give_up_after=give_up_after,
        broker_url=broker_url,
        device=device,
        other_rpc_urls=tuple(urls[1:]),
        finality_depth=finality_depth,
    )
    report = report_lines() if speaks_json() or not console.is_terminal else LiveBoard(console)
    process = VerifierProcess(settings, report)
    environment = os.environ | settings.to_environment()
    pool = WorkerPool(settings.worker_command(), environment, workers, settings.workers_log)
    with pool, showing(report):
        process.run(stop.watched(partial(process.leave, LAST_ANSWER_SECONDS)))


@verifier_app.command("jobs")
def verifier_jobs(folder: Folder = Path("commonweight-verifier")) -> None:
    """Checks that were given up, with what was seen of them last: a proof with such a check is left undecided."""
    from commonweight.kept import NoFolder
    from verifier.jobs.rows import FILE_NAME, JobRows, State

    if not folder.is_dir():
        raise NoFolder(f"there is no folder {folder}; give the --folder of a verifier")
    rows = JobRows(folder / FILE_NAME).listed(State.DEAD)
    for job in rows:
        line = {"proof": job.key.subject, "check": job.key.name, "why": job.reason()}
        tell(line, [f"{line['proof'][:18]}…  {line['check']}\n{line['why']}\n"])
    if not rows:
        tell((), ["no check was given up"])
