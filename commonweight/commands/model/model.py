"""`commonweight model`: deploy a model's contracts, stake, start a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.model import eval, held, resign, stake, unstake
from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from commonweight.terminal.options import (
    DEFAULT_API,
    DEFAULT_RPC,
    Api,
    Corpus,
    Data,
    Keystore,
    ModelDeployment,
    OwnChain,
    Rpc,
    RunId,
    Trusted,
    Weights,
    read_address,
    read_object,
)
from contracts import ids
from contracts.protocol.sizes import SIZES

app = typer.Typer(no_args_is_help=True, help="Create a model on the chain and start training it.")


@app.command("deploy")
def deploy(
    keystore: Keystore,
    name: Annotated[str, typer.Option(help="Name of the model and its token.")],
    symbol: Annotated[str, typer.Option(help="Symbol of the token.")],
    verifier: Annotated[
        list[str],
        typer.Option(parser=read_address, metavar="ADDRESS", help="Address of a verifier; repeat for each."),
    ],
    log_key: Annotated[
        str,
        typer.Option(
            help="Log key of the operator, as `commonweight keys log-key` prints it. Everybody who joins checks it."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Deployment file to write.")],
    rpc_url: Rpc = DEFAULT_RPC,
    params: Annotated[str, typer.Option(help='Genesis parameters as JSON, for instance {"threshold": 2}.')] = "{}",
) -> None:
    """Deploy all contracts of a model. After the deployment no key has any power over them."""
    from contracts.chain.connection import connect
    from contracts.files.whole_file import save_file
    from contracts.genesis.deploy import deploy_model
    from contracts.genesis.params import GenesisParams
    from contracts.tlog.keys import parse_vkey

    try:
        genesis = GenesisParams(**read_object(params, "--params"))
    except TypeError as error:
        raise typer.BadParameter(str(error), param_hint="--params") from error
    w3 = connect(rpc_url)
    account = open_keystore(keystore)
    parse_vkey(log_key)
    deployed = deploy_model(w3, account, name, symbol, verifier, genesis, log=log_key)
    save_file(out, deployed.to_json())
    document = {"model": deployed.model, "file": str(out), "deployment": json.loads(deployed.to_json())}
    tell(document, [f"model {deployed.model}\nwritten to {out}"])


app.command("stake")(stake.stake)
app.command("unstake")(unstake.unstake)
app.command("resign")(resign.resign)
app.command("held")(held.held)
app.command("eval")(eval.evaluate)


@app.command("check")
def check(
    deployment: ModelDeployment,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Check a model's genesis: the code of its contracts, the powers that any key held, and the promises of its terms.

    Nodes, verifiers, wallets and servers run this check at first contact. The command runs it again and prints the
    findings, also: price and share of a funding round, accounts with more than a third of the votes, other minters.
    """
    from commonweight.model.genesis_words import large_voters, power_in_words, terms_in_words, warnings
    from contracts.chain.connection import connect
    from contracts.chain.deployment import Deployment
    from contracts.genesis.check import check_genesis

    w3 = connect(rpc_url)
    deployed = Deployment.of_file(deployment)
    genesis = check_genesis(w3, deployed)
    terms = asdict(genesis.params)
    lines = [f"{name}  {value}" for name, value in terms.items() if value != ""]
    lines += [*terms_in_words(w3, genesis.params), *power_in_words(w3, deployed)]
    lines.append(f"model {deployed.name} ({genesis.symbol}) has a sound genesis, in block {deployed.block}")
    voters = {voter: str(votes) for voter, votes in large_voters(w3, deployed)}
    now = {"large_voters": voters, "warnings": warnings(w3, deployed)}
    tell({"model": deployed.model, "verifiers": genesis.verifiers, "params": terms, **now}, lines)


@app.command("lineage")
def lineage(
    run: RunId,
    round_number: Annotated[int, typer.Option("--round", min=1, help="Round after which the weights stand.")],
    api: Api = DEFAULT_API,
) -> None:
    """Show the rounds, proofs, contributions and decisions that led to the weights after a round."""
    from commonweight.model.lineage import lines_of, rounds_of
    from trainer.client import ApiClient

    rounds = rounds_of(ApiClient(api), ids.RunId(run), round_number)
    tell(rounds, lines_of(rounds))


@app.command("export")
def export(
    run: RunId,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the weights.")],
    round_number: Annotated[
        int | None,
        typer.Option(
            "--round", min=1, help="Round whose merged weights are exported. Default: the newest merged round."
        ),
    ] = None,
    api: Api = DEFAULT_API,
    deployment: Trusted = None,
    rpc_url: OwnChain = None,
    seconds: Annotated[float, typer.Option(help="How long to wait until k mirrors show one head.")] = 60.0,
    corpus: Annotated[
        str,
        typer.Option(
            metavar="PLACE", help="Folder or address of the run's corpus; its tokenizer is written beside the weights."
        ),
    ] = "",
) -> None:
    """Export the weights of a run, checked against the verifiers' signatures, in a form that other programs load.

    A run of the architecture `llama` becomes a folder for `transformers`. A run of `own` keeps its package's names.
    """
    from commonweight.model.exporting import export_run
    from commonweight.model.trusted import trusted

    found = export_run(trusted(api, deployment, rpc_url), ids.RunId(run), out, round_number, seconds, corpus)
    line = f"{out}: the weights {found.digest} after round {found.round}, by entry {found.entry} of the log"
    tell({"folder": str(out), "digest": found.digest, "round": found.round, "entry": found.entry}, [line])


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder of a Llama model, as transformers saves it.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder for the file of weights; a web server can serve it as it is.")],
) -> None:
    """Import the weights of another model as a file with which a run can begin, with the configuration fields."""
    from trainer.genesis.importing import import_model

    fields = import_model(source, out)
    tell(
        {"folder": str(out), "fields": fields}, [f"{out}: weights {fields['weights_blob']}, for model train --weights"]
    )


@app.command("digest")
def digest(
    package: Annotated[str, typer.Argument(help="Name of a Python package that is installed on this machine.")],
) -> None:
    """Print the digest of a model package's files, by which a run names the package.

    The command runs no code of the package.
    """
    from trainer.model.own.source import installed, require_model

    found = installed(package)
    require_model(found)
    files = list(found.files)
    document = {"package": found.name, "digest": found.digest, "folder": str(found.folder), "files": files}
    tell(document, [f"{found.name} {found.digest}"])


@app.command("sizes")
def sizes() -> None:
    """List the named sizes of a llama, with the disk and memory that each needs.

    A node uploads one file of weights in a round, and one state for each opened boundary. The memory is for a round on
    a CPU, with the batch and context of that size.
    """
    from contracts.protocol.architecture import parameter_count
    from contracts.protocol.run_config import RunConfig
    from trainer.model.memory import needed_bytes

    for name, fields in SIZES.items():
        shape = RunConfig(**fields)
        count = parameter_count(shape)
        memory = needed_bytes(shape)
        takes = {"parameters": count, "weights": 4 * count, "state": 12 * count, "memory": memory}
        line = f"{shape.layers} layers of {shape.d_model}, {shape.heads} heads, context {shape.context}"
        room = f"weights {4 * count / 1e9:,.3f} GB, state {12 * count / 1e9:,.3f} GB, memory {memory / 1e9:,.1f} GB"
        tell(
            {"size": name, **takes, "config": dict(fields)},
            [f"{name:<5} {count / 1e6:>9,.1f} M parameters; {line}; {room}"],
        )


@app.command("train")
def train(
    keystore: Keystore,
    api: Api = DEFAULT_API,
    size: Annotated[str, typer.Option(help=f"A named size of a llama to begin with: {', '.join(SIZES)}.")] = "",
    config: Annotated[
        str, typer.Option(help="Run configuration as JSON. Fields that are left out have their defaults.")
    ] = "{}",
    emission: Annotated[int, typer.Option(help="Emission of an epoch, in token units (1e-18 tokens).")] = 10**24,
    rounds_per_epoch: Annotated[int, typer.Option(help="Number of rounds in an epoch.")] = 4,
    min_nodes: Annotated[int, typer.Option(help="Number of nodes that the first round needs to open.")] = 1,
    samples: Annotated[int, typer.Option(help="Number of segments that each verifier draws from each proof.")] = 2,
    max_nodes: Annotated[int, typer.Option(help="Highest number of nodes in a round.")] = 64,
    panel: Annotated[
        int, typer.Option(min=0, help="Number of verifiers drawn by lot to read each proof; 0 for all.")
    ] = 0,
    audit_floor: Annotated[
        float, typer.Option(min=0, max=1, help="Lowest share of a staked node's proofs that is audited; 1 audits all.")
    ] = 1.0,
    node_stake: Annotated[
        int, typer.Option(min=0, help="Stake in wei below which every proof of a node is audited.")
    ] = 0,
    beacon_span: Annotated[
        int,
        typer.Option(help="Seconds of chain time from a round's end to the beacon block; more than finality takes."),
    ] = 60,
    period_seconds: Annotated[int, typer.Option(help="Seconds for which each due message is awaited.")] = 600,
    lease_seconds: Annotated[
        int, typer.Option(help="Seconds of silence after which a node is no longer awaited.")
    ] = 60,
    least_rate: Annotated[int, typer.Option(help="Lowest upload rate of a node, in bytes per second.")] = 100_000,
    profile: Annotated[
        list[str] | None,
        typer.Option(help="Digest of another numerics profile under which nodes may compute, besides this machine's."),
    ] = None,
    admit: Annotated[
        list[str] | None,
        typer.Option(
            help="Profile of a run of several: exact or portable as this machine computes, or exact:DIGEST; repeatable."
        ),
    ] = None,
    nonce: Annotated[
        int, typer.Option(help="Any number; with another number, the same configuration is another run.")
    ] = 1,
    limits: Annotated[
        Path | None,
        typer.Option(help="Table of limits from `commonweight calibrate`; it makes the run a bounded run."),
    ] = None,
    data: Data = None,
    corpus: Corpus = "",
    weights: Weights = "",
) -> None:
    """Start a run: initial weights from the seed, the configuration and the rules of payment."""
    from commonweight.model.terms import RunRules, RunText, open_run
    from contracts.protocol.limits import LimitTable

    rules = RunRules(
        emission,
        rounds_per_epoch=rounds_per_epoch,
        min_nodes=min_nodes,
        max_nodes=max_nodes,
        panel=panel,
        samples=samples,
        audit_floor_ppm=round(audit_floor * 1_000_000),
        node_stake=node_stake,
        beacon_span=beacon_span,
        period_seconds=period_seconds,
        lease_seconds=lease_seconds,
        least_rate=least_rate,
        nonce=nonce,
        profiles=tuple(profile or ()),
        admit=tuple(admit or ()),
    )
    overrides = read_object(config, "--config")
    account = open_keystore(keystore)
    table = None if limits is None else LimitTable.from_json(limits.read_bytes())
    run = open_run(api, account.key.hex(), overrides, rules, RunText(tuple(data or ()), corpus, weights), table, size)
    tell({"run": run}, [run])
