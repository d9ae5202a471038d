"""`commonweight model`: deploy a model's contracts, stake, start a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.model import evaluation, held, resign, stake, unstake
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
        typer.Option(parser=read_address, metavar="ADDRESS", help="Address of a verifier; give it once for each."),
    ],
    log_key: Annotated[
        str,
        typer.Option(help="The operator's log key, as `commonweight keys log-key` prints it; all who join check it."),
    ],
    out: Annotated[Path, typer.Option(help="Where to write the deployment.")],
    rpc_url: Rpc = DEFAULT_RPC,
    params: Annotated[str, typer.Option(help='Genesis parameters as JSON, for instance {"threshold": 2}.')] = "{}",
) -> None:
    """Deploy all contracts of a model; when it is done, no key holds any power over them."""
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
app.command("eval")(evaluation.evaluate)


@app.command("check")
def check(
    deployment: ModelDeployment,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Check how a model began: its contracts' code, who held which power, and whether its terms keep their promises.

    Nodes, verifiers, wallets and servers do so at first contact; this does it again and says what was found: also
    price and share of a funding round, who has more than a third of the votes now, and who else may mint.
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
    lines.append(f"model {deployed.name} ({genesis.symbol}) began as ours do, in block {deployed.block}")
    voters = {voter: str(votes) for voter, votes in large_voters(w3, deployed)}
    now = {"large_voters": voters, "warnings": warnings(w3, deployed)}
    tell({"model": deployed.model, "verifiers": genesis.verifiers, "params": terms, **now}, lines)


@app.command("lineage")
def lineage(
    run: RunId,
    round_number: Annotated[int, typer.Option("--round", min=1, help="Round after which the weights stand.")],
    api: Api = DEFAULT_API,
) -> None:
    """Which rounds, proofs, contributions and decisions led to the weights after a round."""
    from commonweight.model.lineage import lines_of, rounds_of
    from trainer.client import ApiClient

    rounds = rounds_of(ApiClient(api), ids.RunId(run), round_number)
    tell(rounds, lines_of(rounds))


@app.command("export")
def export(
    run: RunId,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder to write.")],
    round_number: Annotated[
        int | None, typer.Option("--round", min=1, help="Round after which the weights stand; else the newest merged.")
    ] = None,
    api: Api = DEFAULT_API,
    deployment: Trusted = None,
    rpc_url: OwnChain = None,
    seconds: Annotated[float, typer.Option(help="How long to wait until k mirrors show one head.")] = 60.0,
    corpus: Annotated[
        str,
        typer.Option(metavar="PLACE", help="Folder or address of the run's corpus: its tokenizer comes beside them."),
    ] = "",
) -> None:
    """Take the weights of a run home: what its verifiers signed, checked, in the form that other programs load.

    A run of the architecture `llama` becomes a folder that `transformers` loads, one of `own` that of its package.
    """
    from commonweight.model.exporting import export_run
    from commonweight.model.trusted import trusted

    found = export_run(trusted(api, deployment, rpc_url), ids.RunId(run), out, round_number, seconds, corpus)
    line = f"{out}: the weights {found.digest} after round {found.round}, by entry {found.entry} of the log"
    tell({"folder": str(out), "digest": found.digest, "round": found.round, "entry": found.entry}, [line])


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder of a Llama, as transformers saves it.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder for the file of its weights; it can be served as it is.")],
) -> None:
    """Make a file of another model's weights with which a run can begin, and the fields of its configuration."""
    from trainer.genesis.importing import import_model

    fields = import_model(source, out)
    tell(
        {"folder": str(out), "fields": fields}, [f"{out}: weights {fields['weights_blob']}, for model train --weights"]
    )


@app.command("digest")
def digest(
    package: Annotated[str, typer.Argument(help="Name of a Python package that is installed here.")],
) -> None:
    """The digest of a model package's files, by which a run names it.

    Nothing of the package runs.
    """
    from trainer.model.own.source import installed, require_model

    found = installed(package)
    require_model(found)
    files = list(found.files)
    document = {"package": found.name, "digest": found.digest, "folder": str(found.folder), "files": files}
    tell(document, [f"{found.name} {found.digest}"])


@app.command("sizes")
def sizes() -> None:
    """The named sizes of a llama, and what each takes.

    The file of weights is what a node uploads in a round, the state what it shows of a boundary; memory is that of a
    round on a CPU, with the batch and context that belong to the size.
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
    config: Annotated[str, typer.Option(help="Run configuration as JSON; what is left out has its default.")] = "{}",
    emission: Annotated[int, typer.Option(help="Token units (1e-18) paid per epoch.")] = 10**24,
    rounds_per_epoch: Annotated[int, typer.Option(help="Rounds that one epoch pays.")] = 4,
    min_nodes: Annotated[int, typer.Option(help="Nodes without which the first round does not open.")] = 1,
    samples: Annotated[int, typer.Option(help="Segments that each verifier draws of each proof.")] = 2,
    max_nodes: Annotated[int, typer.Option(help="Nodes that take part in a round at most.")] = 64,
    panel: Annotated[int, typer.Option(min=0, help="Verifiers that read each proof, drawn by lot; 0 for all.")] = 0,
    audit_floor: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of a staked node's proofs that is audited; 1 audits all.")
    ] = 1.0,
    node_stake: Annotated[int, typer.Option(min=0, help="Stake in wei below which a node is always audited.")] = 0,
    beacon_span: Annotated[
        int, typer.Option(help="Chain seconds from a round's end to the block that draws; more than finality takes.")
    ] = 60,
    period_seconds: Annotated[int, typer.Option(help="How long each thing that is due is awaited.")] = 600,
    lease_seconds: Annotated[int, typer.Option(help="Silence after which a node is not awaited any more.")] = 60,
    least_rate: Annotated[int, typer.Option(help="Bytes a second that a node must be able to serve.")] = 100_000,
    profile: Annotated[
        list[str] | None,
        typer.Option(help="Digest of a numerics profile under which nodes may compute, beside this machine's."),
    ] = None,
    nonce: Annotated[int, typer.Option(help="Another number makes another run of the same configuration.")] = 1,
    limits: Annotated[
        Path | None,
        typer.Option(help="Table of `commonweight calibrate`: makes this a bounded run."),
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
    )
    overrides = read_object(config, "--config")
    account = open_keystore(keystore)
    table = None if limits is None else LimitTable.from_json(limits.read_bytes())
    run = open_run(api, account.key.hex(), overrides, rules, RunText(tuple(data or ()), corpus, weights), table, size)
    tell({"run": run}, [run])
