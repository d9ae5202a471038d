"""A run on shards and on another model's weights: whoever joins gives nothing, and fetches both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commonweight.model.exporting import export_run
from commonweight.model.terms import RunRules, RunText, open_run
from commonweight.model.trusted import trusted
from contracts.ids import to_hex
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from tests.deployed import key_of
from tests.service.stage import Stage, staged
from tests.trainer.data import corpora
from tests.trainer.data.served import Served, served_folder
from tests.trainer.genesis.models import saved
from trainer.data.index import TOKENIZER, CorpusIndex
from trainer.data.making.tokenizing import trained
from trainer.genesis import first_weights
from trainer.genesis.first_weights import choose_weights
from trainer.genesis.importing import import_model

pytestmark = pytest.mark.integration
RUN = {"context": 16, "steps": 4, "segment": 2, "batch": 2, "rounds": 1, "merge": "clip"}


@pytest.fixture
def index(tmp_path: Path) -> CorpusIndex:
    text = corpora.written(tmp_path / "text")
    return corpora.made(tmp_path / "files", text, trained([(text / "one.txt").read_text()], 400), shard_tokens=400)


@pytest.fixture
def served(tmp_path: Path, index: CorpusIndex) -> Iterator[Served]:
    before = first_weights._chosen
    saved(tmp_path / "llama")
    import_model(tmp_path / "llama", tmp_path / "files")
    with served_folder(tmp_path / "files") as found:
        yield found
    choose_weights(before)


def opened(stage: Stage, served: Served) -> None:
    """By the creator, who gives two addresses."""
    rules = RunRules(10**21, rounds_per_epoch=1, beacon_span=8, period_seconds=60, lease_seconds=30, min_nodes=2)
    text = RunText(corpus=served.url, weights=served.url)
    stage.run = open_run(stage.api, key_of("creator").key.hex(), RUN, rules, text)


def test_whoever_joins_fetches_what_its_round_draws(tmp_path: Path, served: Served, index: CorpusIndex) -> None:
    (tmp_path / "stage").mkdir()
    with staged(tmp_path / "stage") as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        opened(stage, served)
        served.broken = 8  # whoever asks first waits, and asks again
        for number in range(3):
            stage.start(f"verifier {number}", stage.verifier(number, data=()).run)
        for name in ("ada", "ben"):
            stage.start(name, stage.node(name, data=()).take_part)
        stage.wait("the run's end", lambda: stage.client.get(f"/runs/{stage.run}")["phase"] == "over", 300)
        lines = stage.client.get(f"/runs/{stage.run}/proofs")
        assert [line["state"] for line in lines] == ["posted", "posted"]
        shown = stage.client.get(f"/runs/{stage.run}/rounds/1")
        config = RunConfig.from_json(shown["config"])
        assert (config.vocab, config.document_end) == (512, index.tokenizer.document_end if index.tokenizer else -1)
        first = to_hex(state_digest(first_weights.first_theta(config)))
        assert shown["theta"]["digest"] == first != shown["merge"]["theta"]
        export_run(
            trusted(stage.api, None, stage.rpc), stage.run, tmp_path / "out", None, 60.0, str(tmp_path / "files")
        )
        assert (tmp_path / "out" / TOKENIZER).read_bytes() == (tmp_path / "files" / TOKENIZER).read_bytes()
        kept = {path.name for path in (stage.folder / "ada" / "corpus").iterdir()} - {"indexes"}
        shards = {shard.blob for shard in index.sources[0].shards}
        assert served.broken == 0
        assert 0 < len(kept) < len(shards) / 3
        assert kept <= shards
