"""`commonweight node`: train as a node of a run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import report_lines
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.logs import log_to_stderr
from commonweight.terminal.options import (
    DEFAULT_API,
    Api,
    Corpus,
    CorpusMirrors,
    Data,
    DeploymentFile,
    Device,
    Folder,
    GiveUpAfter,
    Keystore,
    RunId,
    Weights,
    read_address,
    read_url_or_none,
)
from commonweight.terminal.variables import NODE, with_variables
from contracts import ids
from contracts.ids import as_address
from trainer.cheats import CHEATS

Node = with_variables(
    NODE,
    "deployment",
    "rpc_url",
    "run",
    "payout",
    "folder",
    "data",
    "corpus",
    "corpus_mirrors",
    "weights",
    "from_round",
    "cheat",
    "give_up_after",
    "unjudged",
    "numerics",
    "ranks",
    "recompute",
    "offload",
    api="api_url",
)


def node(
    keystore: Keystore,
    run: RunId,
    deployment: DeploymentFile,
    payout: Annotated[
        str,
        typer.Option(
            parser=read_address, metavar="ADDRESS", help="Address that is paid for all rounds that open from now on."
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
            help="JSON-RPC address of a chain node that names the verifiers. Default: the log names them.",
        ),
    ] = "",
    folder: Folder = Path("commonweight-node"),
    data: Data = None,
    corpus: Corpus = "",
    corpus_mirrors: CorpusMirrors = None,
    weights: Weights = "",
    from_round: Annotated[int, typer.Option(min=1, help="First round in which the node takes part.")] = 1,
    cheat: Annotated[
        str | None, typer.Option(help=f"Cheat to play, to see verifiers catch it: {', '.join(CHEATS)}.")
    ] = None,
    canary_rate: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of rounds that are canaries: one wrong segment, unpaid, to test verifiers."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Number of threads, in a bounded run.")] = 1,
    attention: Annotated[str, typer.Option(help="Attention kernel in a bounded run: flash or math.")] = "flash",
    adamw: Annotated[str, typer.Option(help="AdamW kernel in a bounded run: foreach, loop or fused.")] = "foreach",
    micro_batches: Annotated[int, typer.Option(min=1, help="Number of parts of a batch, in a bounded run.")] = 1,
    device: Device = "cpu",
    give_up_after: GiveUpAfter = 0.0,
    leave_after: Annotated[
        float, typer.Option(min=0, help="Seconds after which the node leaves, finishes its duties and ends; 0: never.")
    ] = 0.0,
    tensorboard: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for this node's curves, in the format of TensorBoard.")
    ] = None,
    unjudged: Annotated[
        bool,
        typer.Option("--unjudged", help="Enrol even if no verifier has this machine's numerics profile."),
    ] = False,
    numerics: Annotated[
        str,
        typer.Option(
            metavar="exact|portable",
            help="Arithmetic to compute in, if the run admits several. Default: the first that enough verifiers read.",
        ),
    ] = "",
    ranks: Annotated[
        int,
        typer.Option(
            min=1, max=1024, help="Number of processes that share a round; must divide the number of the run's ranks."
        ),
    ] = 1,
    recompute: Annotated[
        bool,
        typer.Option("--recompute", help="Compute the activations of a model's blocks twice, which takes less memory."),
    ] = False,
    offload: Annotated[
        bool,
        typer.Option(
            "--offload", help="Keep the optimizer's moments in the host's memory, which takes less memory on a GPU."
        ),
    ] = False,
) -> None:
    """Train as a node of a run: enrol, run inner steps, commit, open the states that verifiers draw, and be paid."""
    from commonweight.model.known_model import joined
    from contracts.chain.connection import connect
    from trainer.model.device import choose_device
    from trainer.node.node import run_light_node
    from trainer.node.settings import NodeSettings
    from trainer.steps.variants import Variant, choose

    stop = heed_signals()
    log_to_stderr()
    choose_device(device)
    choose(Variant(threads, attention=attention, adamw=adamw, micro_batches=micro_batches))
    account = open_keystore(keystore)
    key = account.key.hex()
    w3 = connect(rpc_url) if rpc_url else None
    canaries = {} if canary_rate is None else {"canary_ppm": round(canary_rate * 1_000_000)}
    settings = NodeSettings(
        api_url=api,
        deployment=joined(deployment, w3, folder, ("node", account.address, run), stop, give_up_after),
        rpc_url=rpc_url,
        run=ids.RunId(run),
        key=key,
        payout=as_address(payout),
        folder=folder,
        data=tuple(data or ()),
        corpus=corpus,
        corpus_mirrors=tuple(corpus_mirrors or ()),
        weights=weights,
        from_round=from_round,
        cheat=cheat,
        give_up_after=give_up_after,
        unjudged=unjudged,
        numerics=numerics,
        ranks=ranks,
        recompute=recompute,
        offload=offload,
        **canaries,
    )
    leave = threading.Event()
    if leave_after:
        timer = threading.Timer(leave_after, leave.set)
        timer.daemon = True
        timer.start()
    report = report_lines()
    if tensorboard is not None:
        from trainer.node.curves import with_curves

        report = with_curves(report, tensorboard)
    run_light_node(settings, report, stop.watched(), leave)
