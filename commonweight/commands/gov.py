"""`commonweight gov`: propose, vote, tally. Signatures only; the relayer pays the gas."""

from __future__ import annotations

from typing import Annotated

import typer

from commonweight.amounts import tokens
from commonweight.commands.options import DEFAULT_API, DEFAULT_RPC, Api, Json, Keystore, ProposalId, Rpc
from commonweight.console import emit, say
from commonweight.keystore import open_keystore

app = typer.Typer(no_args_is_help=True, help="Decide together what the run does next.")
SUPPORT = {"against": 0, "for": 1, "abstain": 2}


@app.command("propose")
def propose(
    keystore: Keystore,
    description: Annotated[str, typer.Option(help="What and why; make it unique, ids follow from it.")],
    decide: Annotated[list[str], typer.Option(help="key=value, for instance inner_lr=0.001; repeat for more.")],
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
    as_json: Json = False,
) -> None:
    """Propose decisions for the run.

    Votable: inner_lr, outer_lr, outer_momentum, weight_decay, clip, rounds, maintainers, and the weights by which an
    emission is split: compute_weight, code_weight, data_weight.
    """
    from commonweight.ballots import GovernanceClient
    from contracts.run_config import RunConfig

    decisions = [_pair(text) for text in decide]
    for key, value in decisions:
        RunConfig().with_decision(key, value)  # before anything is signed; the server looks again
    proposal = GovernanceClient(api, rpc_url).propose(open_keystore(keystore), description, decisions)
    emit({"proposal": proposal}) if as_json else say(proposal)


@app.command("vote")
def vote(
    proposal: ProposalId,
    support: Annotated[str, typer.Argument(help="for, against or abstain.")],
    keystore: Keystore,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Sign a ballot and hand it in; it weighs what you held at the proposal's snapshot."""
    from commonweight.ballots import GovernanceClient

    if support not in SUPPORT:
        raise typer.BadParameter("must be for, against or abstain", param_hint="support")
    GovernanceClient(api, rpc_url).vote(open_keystore(keystore), proposal, SUPPORT[support])
    say(f"voted {support}")


@app.command("tally")
def tally(proposal: ProposalId, api: Api = DEFAULT_API, as_json: Json = False) -> None:
    """The API's own count beside the Governor's."""
    from trainer.client import ApiClient

    client = ApiClient(api)
    counts, state = client.get(f"/proposals/{proposal}/tally"), client.get(f"/proposals/{proposal}")["state"]
    if as_json:
        emit({"state": state, **counts})
        return
    say(f"state {state}")
    for name in SUPPORT:
        ours, theirs = (tokens(counts[source][name]) for source in ("api", "governor"))
        say(f"{name:<8} api {ours:>28}   governor {theirs:>28}")


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise typer.BadParameter(f"{text} must be key=value", param_hint="--decide")
    return key, value
