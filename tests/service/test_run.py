"""A whole run of version 0.2.0: from its terms to claimed tokens, with a cheat among honest nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from commonweight.model.exporting import export_run
from commonweight.model.trusted import trusted
from contracts.bindings.token import ModelToken
from contracts.chain.connection import connect
from contracts.errors import CommonweightError
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.log.follower import audit
from ledger.books import log
from ledger.opening import open_ledger
from ledger.public_log import mirrors, restoring
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from ledger.storage.tables import MirrorRow
from tests.deployed import key_of
from tests.service.stage import Stage, staged, wallet
from tests.walked import check_order, followed, walks
from trainer.client import ApiClient
from trainer.data.text import corpus_of
from trainer.model.hugging_face import export
from verifier.receipt.cosigned_log import VerifierQuorum
from verifier.weights.merged import MergedWeights, merged_weights

pytestmark = pytest.mark.integration
HONEST, CHEAT = ("ada", "ben"), "cal"
WALKS = {title: stops for title, stops in walks().items() if title != "A vote to the next round"}
"""That one is played in tests/ledger/test_governance.py: nobody votes here."""


@pytest.fixture(scope="module")
def calls() -> Iterator[list[str]]:
    """The functions of docs/walks.md, as all that is played here calls them."""
    with followed({stop for stops in WALKS.values() for stop in stops}) as calls:
        yield calls


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, calls: list[str]) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("service")) as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        stage.open_run(rounds=2, nodes=3, architecture="llama")
        for number in range(3):
            stage.start(f"verifier {number}", stage.verifier(number).run)
        for name in HONEST:
            stage.start(name, stage.node(name).take_part)
        stage.start(CHEAT, stage.node(CHEAT, cheat="skip-middle").take_part)
        stage.wait("the run's end", lambda: stage.client.get(f"/runs/{stage.run}")["phase"] == "over", 700)
        yield stage


@pytest.fixture(scope="module")
def token(stage: Stage) -> ModelToken:
    """The model's, when all that the epochs pay was claimed and minted."""
    for epoch in stage.client.get("/epochs"):
        for name in HONEST:
            stage.client.post(f"/epochs/{epoch['epoch']}/claims", {"account": wallet(name)})
    token = ModelToken(connect(stage.rpc), stage.deployment.token)
    stage.wait("the mints", lambda: token.total_supply() == 2 * 10**21)
    stage.wait("the ledger to see them", lambda: minted(stage) == {wallet(name): 10**21 for name in HONEST})
    return token


def proofs(stage: Stage, name: str) -> list[dict[str, Any]]:
    lines = stage.client.get(f"/runs/{stage.run}/proofs")
    return [line for line in lines if line["node"] == key_of(name).address]


def test_honest_work_is_posted_and_the_cheat_is_void(stage: Stage) -> None:
    for name in HONEST:
        assert [proof["state"] for proof in proofs(stage, name)] == ["posted", "posted"]
    found = [stage.client.get(f"/proofs/{proof['proof']}") for proof in proofs(stage, CHEAT)]
    assert found
    assert {proof["state"] for proof in found} == {"voided"}
    for proof in found:
        assert (proof["reason"], proof["at_fault"]) == ("replay-mismatch", True)
        assert int(proof["measured"]) > 0


def test_claims_pay_what_the_epochs_say_and_the_cheat_nothing(stage: Stage, token: ModelToken) -> None:
    epochs = stage.client.get("/epochs")
    assert [(epoch["state"], epoch["ours"], len(epoch["signatures"]) >= 2) for epoch in epochs] == [
        ("final", True, True)
    ] * 2
    assert [token.balance_of(wallet(name)) for name in HONEST] == [10**21] * 2
    assert token.balance_of(wallet(CHEAT)) == 0


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("title", WALKS)
def test_a_walk_goes_as_its_page_shows(title: str, calls: list[str]) -> None:
    check_order(WALKS[title], list(calls))


def test_an_audit_of_the_log_gives_the_same(stage: Stage) -> None:
    with stage.ledger.store.read() as session:
        leaves = [entry.body for entry in log.bodies(session, 0, 10_000)]
    place = stage.deployment
    functions = Protocol(place.chain_id, place.distributor, bytes.fromhex(place.model[2:]), place.deployer)
    state = audit(leaves, functions, stage.ledger.chain.domain)
    assert state.runs[stage.run].over
    assert state.epochs == {}


def home(stage: Stage, number: int | None = None, client: ApiClient | None = None) -> MergedWeights:
    asked = client or stage.client
    quorum = VerifierQuorum.of(asked, stage.deployment, connect(stage.rpc))
    return merged_weights(asked, stage.deployment, quorum, stage.run, number, 60.0)


def test_weights_are_taken_home_under_k_heads_and_load_elsewhere(stage: Stage, tmp_path: Path) -> None:
    last = home(stage)
    assert last.round == 2
    assert last.digest == stage.client.get(f"/runs/{stage.run}/rounds/2")["merge"]["theta"]
    export(last.config, last.theta, tmp_path)
    model = LlamaForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    held_out = corpus_of((stage.text,)).held_out()
    tokens = torch.from_numpy(held_out[: last.config.context].astype(np.int64))[None]
    with torch.no_grad():
        loss = float(model(tokens, labels=tokens).loss)
    assert loss < np.log(last.config.vocab), "better than a guess"


class Liar(ApiClient):
    """A server that shows one thing other than the log has it."""

    def __init__(self, api: str, lie: Callable[[dict[str, Any]], object]) -> None:
        super().__init__(api)
        self._lie = lie

    def get(self, path: str, **query: Any) -> Any:
        """The truth, but for the round."""
        answer = super().get(path, **query)
        if "/rounds/" in path:
            self._lie(answer)
        return answer


LIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another entry": (
        lambda shown: shown["merge"].update(entry=shown["entry"]),
        "no entry of the kind round-merged",
    ),
    "another opening": (lambda shown: shown.update(entry=shown["entry"] - 1), "no entry of the kind round-opened"),
    "other bytes": (
        lambda shown: (shown["merge"].update(theta_blob=shown["merge"]["momentum_blob"]), shown.update(merges={})),
        "cannot be had",
    ),
    "no bytes": (
        lambda shown: (shown["merge"].update(theta_blob="0x" + "0" * 64), shown.update(merges={})),
        "cannot be had",
    ),
    "another round": (lambda shown: shown.update(round=1), "round 1 of .* was shown for round 2"),
    "nothing merged": (lambda shown: shown.update(merge=None), "is not merged yet"),
}


def test_a_run_is_exported_by_the_word_of_the_chain(stage: Stage, tmp_path: Path) -> None:
    found = export_run(trusted(stage.api, None, stage.rpc), stage.run, tmp_path / "out", None, 60.0)
    assert found.digest == home(stage).digest
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"config.json", "model.safetensors"}


@pytest.mark.parametrize("name", LIES)
def test_a_server_gives_nobody_other_weights(stage: Stage, name: str) -> None:
    lie, refusal = LIES[name]
    with pytest.raises(CommonweightError, match=refusal):
        home(stage, 2, Liar(stage.api, lie))


def test_an_empty_database_takes_the_log_back_from_the_mirrors(stage: Stage, tmp_path: Path) -> None:
    """J20, over HTTP: of what was there it has the mirrors' addresses alone."""
    with stage.ledger.store.read() as session:
        known = [row.model_dump() for row in mirrors.mirrors(session)]
        size = log.size(session)
    store = Store(f"sqlite:///{tmp_path / 'ledger.db'}")
    fresh = open_ledger(store, BlobFolder(tmp_path / "blobs"), stage.ledger.chain, key_of("operator"))
    with store.write() as session:
        session.add_all(MirrorRow(**row) for row in known)
    stage.wait("all mirrors to answer", lambda: restoring.restore(fresh, loopback=True).answered == 3)
    with store.read() as session:
        found = [entry.body for entry in log.bodies(session, 0, 10_000)]
    with stage.ledger.store.read() as session:  # which may have grown meanwhile
        whole = [entry.body for entry in log.bodies(session, 0, 10_000)]
    assert found == whole[: len(found)]
    assert size - len(found) < 10, "the mirrors are a look behind at most"


def minted(stage: Stage) -> dict[str, int]:
    books = stage.client.get("/balances/units")
    return {name.removeprefix("minted:"): int(units) for name, units in books.items() if name.startswith("minted:")}
