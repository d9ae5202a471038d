"""`commonweight appeal`: contest the voiding of a proof, with a bond at stake."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.commands.options import DEFAULT_API, DEFAULT_RPC, Api, Data, Json, Keystore, Rpc
from commonweight.console import emit, say
from commonweight.keystore import open_keystore
from commonweight.lifetime import stop_on_signals
from contracts.errors import CommonweightError

if TYPE_CHECKING:
    from trainer.client import ApiClient

SEEN_SECONDS = 120.0


class AppealNotSeen(CommonweightError):
    """The appeal is on the chain, but the ledger has not taken it up."""

    code = "appeal-not-seen"


def appeal(
    proof: Annotated[str, typer.Argument(help="Id of the voided proof.")],
    keystore: Keystore,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
    data: Data = None,
    reclaim: Annotated[
        bool, typer.Option("--reclaim", help="Only take the bond back, if nobody ruled within the dispute limit.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Appeal once against a voided proof, as its node: pay the bond, bisect with the respondent, wait for the panel.

    Upheld, the bond comes back with the respondent's slash and the work is paid; dismissed, the bond is lost. Where
    nobody rules, `--reclaim` brings it back after the model's dispute limit.
    """
    from contracts.chain import connect, send
    from contracts.verifier_registry import VerifierRegistry
    from trainer.client import ApiClient, octets
    from trainer.corpus import corpus_of
    from trainer.defence import Defence

    stop, account = stop_on_signals(), open_keystore(keystore)
    client = ApiClient(api, account.key.hex())
    w3 = connect(rpc_url)
    registry = VerifierRegistry(w3, client.network["deployment"]["verifier_registry"])
    if reclaim:
        send(w3, account, registry.lapse_appeal(octets(proof), account.address))
        emit({"proof": proof, "outcome": "bond returned"}) if as_json else say("the bond is back")
        return
    corpus = corpus_of(data or ())
    bond = registry.bond()
    send(w3, account, registry.open_appeal(octets(proof)), value=bond)
    if not as_json:
        say(f"bond of {bond} wei paid; waiting for the ledger to see it")
    _await_seen(client, proof)
    outcome = Defence(client, proof, corpus).play(stop, (lambda _line: None) if as_json else say)
    emit({"proof": proof, "outcome": outcome}) if as_json else say(outcome)


def _await_seen(client: ApiClient, proof: str) -> None:
    from trainer.client import ApiProblem

    end = time.monotonic() + SEEN_SECONDS
    while True:
        try:
            client.get(f"/appeals/{proof}")
        except ApiProblem as problem:
            if problem.status != 404 or time.monotonic() > end:
                raise AppealNotSeen(f"{problem.detail}; was the proof voided by a replay?") from problem
            time.sleep(0.5)
        else:
            return
