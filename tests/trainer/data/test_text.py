from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.ids import as_address
from contracts.protocol.run_config import RunConfig
from tests.trainer.conftest import NODE, SEED
from trainer.baseline import PublicRound, data_parallel, solo
from trainer.data.corpus import Corpus, Tokens, UnusableCorpus
from trainer.data.text import default_corpus, load_corpus
from trainer.model.state import Tensors, initial_theta
from trainer.steps.determinism import configure_determinism
from trainer.steps.evaluate import HeldOutTooShort, held_out_loss
from trainer.steps.profile import NumericsProfile, UnknownProfile

pytestmark = pytest.mark.unit
OTHER = as_address("0x" + "22" * 20)


def trained_on(corpus: Corpus) -> Tokens:
    """The one shard of a plain text."""
    ((shard,),) = (source.shards for source in corpus.sources)
    return shard.read()


def test_the_default_corpus_is_deterministic_capped_and_split() -> None:
    one, two = default_corpus(300_000), default_corpus(300_000)
    assert one.digest == two.digest
    assert one.tokens + len(one.held_out()) == 300_000
    assert len(one.held_out()) > 5_000
    assert trained_on(one).dtype == np.uint8
    assert "the first 300,000 bytes of the standard library" in one.origin


def test_folders_are_read_by_name_and_each_byte_counts(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", ".hidden"):
        (tmp_path / name).write_text(name * 1000)
    before = load_corpus([tmp_path])
    assert bytes(trained_on(before)).startswith(b"a.txt")
    assert b"hidden" not in bytes(trained_on(before)) + bytes(before.held_out())
    (tmp_path / "a.txt").write_text("A" + ("a.txt" * 1000)[1:])
    assert load_corpus([tmp_path]).digest != before.digest


def test_missing_and_tiny_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableCorpus, match="does not exist"):
        load_corpus([tmp_path / "none"])
    with pytest.raises(UnusableCorpus, match="bytes"):
        load_corpus([tmp_path])


def test_held_out_loss_of_an_untrained_model_is_near_uniform(config: RunConfig, corpus: Corpus) -> None:
    loss = held_out_loss(config, initial_theta(config), corpus.held_out())
    assert abs(loss - np.log(256)) < 0.3
    assert loss == held_out_loss(config, initial_theta(config), corpus.held_out())
    with pytest.raises(HeldOutTooShort):
        held_out_loss(config, initial_theta(config), corpus.held_out()[:16])


def test_baselines_learn_and_solo_is_data_parallel_of_one(config: RunConfig, corpus: Corpus) -> None:
    theta: Tensors = initial_theta(config)
    faster = config.with_decision("inner_lr", "0.01")
    rounds = [PublicRound(faster, seed, [NODE, OTHER], [NODE]) for seed in (SEED, b"\x09" * 32)]
    alone = list(solo(rounds, corpus, theta, NODE))
    assert alone[1] < alone[0] < held_out_loss(config, theta, corpus.held_out())
    assert alone == list(data_parallel(rounds, corpus, theta))
    both, none = rounds[0]._replace(nodes=[NODE, OTHER]), rounds[1]._replace(nodes=[])
    pair = list(data_parallel([both, none], corpus, theta))
    assert pair[0] == pair[1] != alone[0]


def test_the_profile_names_what_changes_bits() -> None:
    profile = configure_determinism()
    assert profile.threads == 1
    assert profile.deterministic
    assert profile == NumericsProfile.current(profile.computed)
    assert len(profile.digest()) == 32
    with pytest.raises(UnknownProfile):
        configure_determinism("fast")
