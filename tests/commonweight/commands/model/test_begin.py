"""A run's model as its creator chooses it: a named size, another model's weights, a corpus."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from contracts.protocol.sizes import SIZES
from tests.commonweight.conftest import Command
from tests.commonweight.test_network import CREATOR, Network, network
from tests.trainer.data import corpora
from tests.trainer.genesis.models import saved
from tests.trainer.model.own.packages import example, forgotten
from trainer.data.making.tokenizing import trained
from trainer.genesis import first_weights
from trainer.genesis.first_weights import choose_weights
from trainer.genesis.place import WeightsPlace

pytestmark = pytest.mark.integration

__all__ = ["network"]


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    yield
    choose_weights(WeightsPlace())
    assert first_weights._chosen.address == ""


def configured(network: Network, run: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{network.api}/v1/runs/{run}") as answer:
        found: dict[str, Any] = json.loads(json.load(answer)["config"])
    return found


def test_sizes_are_listed_with_what_they_take(commonweight: Command) -> None:
    said = commonweight("model", "sizes")
    assert [line.split()[0] for line in said.out.splitlines()] == list(SIZES)
    objects = commonweight("model", "sizes", "--json").objects
    assert [row["state"] // row["parameters"] for row in objects] == [12] * len(SIZES)


def test_a_run_begins_with_size_weights_and_corpus(commonweight: Command, network: Network, tmp_path: Path) -> None:
    text = corpora.written(tmp_path / "text")
    index = corpora.made(tmp_path / "shards", text, trained([(text / "one.txt").read_text()], 300))
    saved(tmp_path / "llama")
    train = ("model", "train", "--keystore", network.key(CREATOR), "--api", network.api, "--emission", 1000)
    of_size = commonweight(
        *train, "--nonce", 71, "--size", "1M", "--corpus", tmp_path / "shards", "--config", '{"batch": 2}'
    )
    assert of_size.status == 0, of_size.err
    config = configured(network, of_size.out.strip())
    assert index.tokenizer is not None
    assert (config["corpus_digest"], config["corpus_url"]) == (index.digest(), "")
    assert (config["layers"], config["batch"], config["steps"], config["schedule"]) == (4, 2, 500, "cosine")
    assert (config["vocab"], config["document_end"]) == (index.vocab, index.tokenizer.document_end)

    imported = commonweight("model", "import", tmp_path / "llama", tmp_path / "start", "--json")
    assert imported.status == 0, imported.err
    begun = commonweight(*train, "--nonce", 72, "--corpus", tmp_path / "shards", "--weights", tmp_path / "start")
    assert begun.status == 0, begun.err
    config = configured(network, begun.out.strip())
    fields = imported.objects[0]["fields"]
    assert {name: config[name] for name in fields} == fields
    assert (config["vocab"], config["weights_url"]) == (512, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "2M"), "invalid-run-config: size must be one of 1M, 15M"),
        (("--weights", "nowhere"), "corpus-unreachable: nowhere/weights.json cannot be read"),
        (
            ("--config", '{"architecture": "own", "model_package": "own_model"}'),
            "invalid-run-config: model_digest is missing: a run names the digest of its package's files, and "
            "`commonweight model digest own_model` prints it",
        ),
        (
            ("--config", f'{{"architecture": "own", "model_package": "nowhere_model", "model_digest": "{"ab" * 32}"}}'),
            "model-package-missing: the run's model is the Python package nowhere_model with the digest abab",
        ),
        (("--corpus", "nowhere"), "corpus-unreachable: nowhere/corpus.json cannot be read"),
        (("--corpus", "wide", "--weights", "start"), "other-vocabulary: the corpus has 600 tokens, and the weights"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_signed(
    commonweight: Command,
    network: Network,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if "wide" in options:
        text = corpora.written(tmp_path / "text")
        corpora.made(tmp_path / "wide", text, trained([(text / "one.txt").read_text()], 600))
        saved(tmp_path / "llama")
        commonweight("model", "import", "llama", "start")
    said = commonweight("model", "train", "--keystore", network.key(CREATOR), "--api", network.api, *options)
    assert said.status == 1
    assert words in said.err


def test_a_model_package_has_a_digest_that_a_run_names(
    commonweight: Command, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    forgotten()
    example(tmp_path)
    said = commonweight("model", "digest", "own_model")
    name, digest = said.out.split()
    document = commonweight("model", "digest", "own_model", "--json").objects[0]
    assert (name, digest) == (document["package"], document["digest"])
    assert document["files"] == ["__init__.py", "mixer.py"]
    own = {"architecture": "own", "model_package": name, "model_digest": digest, "model_config": {"width": 8}}
    begun = commonweight(
        *("model", "train", "--keystore", network.key(CREATOR), "--api", network.api, "--emission", 1000),
        *("--nonce", 73, "--config", json.dumps(own)),
    )
    assert begun.status == 0, begun.err
    config = configured(network, begun.out.strip())
    assert (config["model_config"], config["model_digest"]) == ('{"width":8}', digest)
    assert config["state_size"] > 3 * (config["weights_size"] - 3_000) > 0
    missing = commonweight("model", "digest", "nowhere_model")
    assert (missing.status, "model-package-missing" in missing.err) == (1, True)
    stranger = commonweight("model", "digest", "json")
    assert "invalid-model-package: json is no model package" in stranger.err
