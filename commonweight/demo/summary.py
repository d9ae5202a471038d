"""What the demo claims, read back from the ledger and the chain, with the equalities that must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from commonweight.demo.cast import CHEAT, JOINER, KILLED, NODES, VERIFIERS, Cast, wallet
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.ids import RunId, as_address, to_hex
from contracts.protocol.run_config import RunConfig
from contracts.wire.epochs import Epoch, Payouts
from contracts.wire.proofs import Proof
from contracts.wire.rounds import ProofLine, Round
from trainer.client import ApiClient

SCALE = 10**18
EPOCH = ("epoch", "root", "total", "count", "state", "log_size", "log_root")


@dataclass(frozen=True)
class Source:
    """Where the numbers come from: rounds up to `rounds`, the first one that obeyed the vote."""

    client: ApiClient
    rpc_url: str
    run: RunId
    cast: Cast
    proposal: str
    rounds: int


def collect(source: Source) -> dict[str, Any]:
    """The summary as plain JSON; amounts are decimal strings of 1e-18 tokens."""
    client = source.client
    rounds = [client.read(Round, f"/runs/{source.run}/rounds/{n}") for n in range(1, source.rounds + 1)]
    epoch = client.read_list(Epoch, "/epochs")[0]
    chain = _chain(source, epoch)
    summary = {
        "run": source.run,
        "nodes": [_node(source, name, rounds, chain) for name in NODES],
        "verdicts": [_proof(source, line) for current in rounds for line in current.proofs],
        "rounds": [_round(source, current) for current in rounds],
        "epoch": {key: getattr(epoch, key) for key in EPOCH},
        "chain": chain,
        "tally": client.get(f"/proposals/{source.proposal}/tally"),
        "decisions": client.get("/decisions"),
        "transactions": client.get("/transactions", limit=1000),
    }
    return {**summary, "checks": _checks(source, summary, epoch, rounds)}


def _chain(source: Source, epoch: Epoch) -> dict[str, Any]:
    w3 = connect(source.rpc_url)
    deployment = source.client.network.deployment
    token = ModelToken(w3, as_address(deployment.token))
    state = VerifierRegistry(w3, as_address(deployment.verifier_registry)).epoch_of(epoch.epoch)
    balances = {
        name: str(token.balance_of(as_address(source.cast.address(wallet(as_address(name)))))) for name in NODES
    }
    return {
        "supply": str(token.total_supply()),
        "balances": balances,
        "epoch_root": to_hex(state.root),
        "epoch_total": str(state.total),
        "epoch_final": state.status.name == "FINAL",
    }


def _node(source: Source, name: str, rounds: list[Round], chain: dict[str, Any]) -> dict[str, Any]:
    own = [p for r in rounds for p in r.proofs if p.node == source.cast.address(name)]
    steps = {r.round: RunConfig.from_json(r.config).steps for r in rounds}
    counted = {
        state: sum(steps[p.round] for p in own if state in ("all", p.state)) for state in ("all", "posted", "voided")
    }
    units = int(chain["balances"][name])
    return {
        "name": name,
        "address": source.cast.address(name),
        "claimed_steps": counted["all"],
        "verified_steps": counted["posted"],
        "voided_steps": counted["voided"],
        "reasons": sorted({p.reason for p in own if p.reason}),
        "units": str(units),
        "share_percent": round(100 * units / max(1, int(chain["supply"])), 4),
    }


def _proof(source: Source, line: ProofLine) -> dict[str, Any]:
    view = source.client.read(Proof, f"/proofs/{line.proof}")
    said = [
        {
            "verifier": source.cast.name_of(as_address(word.verifier)),
            "segment": word.segment,
            "word": word.word,
            "error": int(word.measured) / SCALE,
            "limit": int(word.limit) / SCALE,
        }
        for word in view.words
    ]
    return {
        "round": line.round,
        "node": source.cast.name_of(as_address(line.node)),
        "state": line.state,
        "reason": line.reason,
        "error": int(line.measured) / SCALE,
        "limit": int(line.limit) / SCALE,
        "draws": {source.cast.name_of(as_address(verifier)): drawn for verifier, drawn in view.draws.items()},
        "bench": [call.segment for call in view.bench],
        "decided": view.decided,
        "words": said,
        "proof": line.proof,
    }


def _round(source: Source, current: Round) -> dict[str, Any]:
    losses = sorted(current.merge.held_out_loss.values()) if current.merge else []
    return {
        "round": current.round,
        "config_digest": current.config_digest,
        "inner_lr": RunConfig.from_json(current.config).inner_lr,
        "nodes": [source.cast.name_of(as_address(n.node)) for n in current.nodes],
        "lapsed": [source.cast.name_of(as_address(n.node)) for n in current.nodes if n.lapsed],
        "theta": current.merge.theta if current.merge else None,
        "held_out_loss": losses[len(losses) // 2] / 10**9 if losses else None,
    }


def _checks(source: Source, summary: dict[str, Any], epoch: Epoch, rounds: list[Round]) -> dict[str, bool]:
    chain = summary["chain"]
    cast = source.cast
    lines = source.client.read(Payouts, f"/epochs/{epoch.epoch}/payouts").payouts
    paid = {line.account: int(line.amount) for line in lines}
    minted = {
        account.removeprefix("minted:"): int(units)
        for account, units in source.client.read(dict[str, str], "/balances/units").items()
        if account.startswith("minted:")
    }
    on_chain = {cast.address(wallet(n)): int(u) for n, u in chain["balances"].items() if int(u)}
    cheat = next(n for n in summary["nodes"] if n["name"] == CHEAT)
    by_name = {r["round"]: r for r in summary["rounds"]}
    changed = [p for p in summary["verdicts"] if p["round"] == len(rounds)]
    return {
        "every wallet holds what the ledger paid it": on_chain == paid == minted,
        "supply is the sum of claims and the epoch's total": int(chain["supply"])
        == sum(minted.values())
        == int(epoch.total)
        == int(chain["epoch_total"]),
        "the root on the chain is the one in the log": chain["epoch_final"] and chain["epoch_root"] == epoch.root,
        "the bench voided the cheat every time, and it holds nothing": cheat["verified_steps"] == 0
        and cheat["voided_steps"] > 0
        and cheat["units"] == "0"
        and all(_is_decided_by_k(p) for p in summary["verdicts"] if p["node"] == CHEAT),
        "the joiner worked from round 2 on": JOINER not in by_name[1]["nodes"] and JOINER in by_name[2]["nodes"],
        "the killed node cost round 3 nothing but its own work": KILLED in by_name[3]["lapsed"]
        and by_name[3]["held_out_loss"] is not None,
        "the API counts the votes as the Governor does": summary["tally"]["api"] == summary["tally"]["governor"],
        "the next round trained with what was voted": by_name[len(rounds)]["config_digest"]
        != by_name[len(rounds) - 1]["config_digest"]
        and any(d["key"] == "inner_lr" and d["value"] == by_name[len(rounds)]["inner_lr"] for d in summary["decisions"])
        and any(p["state"] == "posted" for p in changed),
        "at least a quorum spoke on every proof": all(
            set(VERIFIERS) >= {v["verifier"] for v in p["words"]} and len({v["verifier"] for v in p["words"]}) >= 2
            for p in summary["verdicts"]
        ),
    }


def _is_decided_by_k(proof: dict[str, Any]) -> bool:
    """Whether at least two verifiers replayed a segment to another state, so that the bench decided it."""
    false = [word["segment"] for word in proof["words"] if word["word"] == "false"]
    return any(not true and false.count(int(segment)) >= 2 for segment, true in proof["decided"].items())
