"""Our llama computes what Hugging Face's does, and a run can train it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from transformers import LlamaConfig, LlamaForCausalLM

from contracts.protocol.run_config import RunConfig
from trainer.model.building import build_model, initial_parameters
from trainer.model.llama import turned, turns, within_documents
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step

pytestmark = pytest.mark.unit
FORMS = [{"tied": True}, {"tied": False, "kv_heads": 2, "mlp_width": 200}, {"rotary_base": 500_000, "kv_heads": 1}]


def config_of(**fields: object) -> RunConfig:
    return RunConfig(architecture="llama", layers=3, d_model=96, heads=6, vocab=512, **fields)  # type: ignore[arg-type]


def theirs(config: RunConfig, theta: dict[str, Tensor]) -> LlamaForCausalLM:
    said = LlamaConfig(
        vocab_size=config.vocab,
        hidden_size=config.d_model,
        intermediate_size=config.mlp_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.key_heads,
        max_position_embeddings=config.context,
        rms_norm_eps=config.rate("norm_eps"),
        rope_theta=float(config.rotary_base),
        tie_word_embeddings=config.tied,
    )
    model = LlamaForCausalLM(said)
    unknown = model.load_state_dict(theta, strict=False)
    assert unknown.unexpected_keys == []
    assert unknown.missing_keys == (["lm_head.weight"] if config.tied else [])
    model.tie_weights()
    return model.eval()


@pytest.mark.parametrize("fields", FORMS, ids=str)
def test_logits_are_those_of_hugging_face(fields: dict[str, object]) -> None:
    config = config_of(**fields)
    noise = torch.Generator().manual_seed(5)
    theta = {
        name: value + 0.05 * torch.randn(value.shape, generator=noise)
        for name, value in initial_parameters(config).items()
    }
    tokens = torch.randint(0, config.vocab, (2, config.context), generator=noise)
    ours = functional_call(build_model(config), theta, (tokens,))
    with torch.no_grad():
        expected = theirs(config, theta)(tokens).logits
    assert float((ours - expected).abs().max()) <= 8e-7 * float(expected.abs().max())


def test_no_position_sees_another_document() -> None:
    """Each document alone gives what it gives in a window of three, wherever it stands."""
    config = config_of(document_end=7)
    noise = torch.Generator().manual_seed(5)
    theta = {name: 3 * value for name, value in initial_parameters(config).items()}
    tokens = torch.randint(8, config.vocab, (1, 40), generator=noise)
    tokens[0, 9] = tokens[0, 30] = 7
    model = build_model(config)
    together = functional_call(model, theta, (tokens,))
    for start, end in ((0, 10), (10, 31), (31, 40)):
        alone = functional_call(model, theta, (tokens[:, start:end],))
        torch.testing.assert_close(together[:, start:end], alone, atol=2e-5, rtol=1e-5)
    joined = functional_call(build_model(config_of()), theta, (tokens,))
    assert float((joined[:, 10:] - together[:, 10:]).abs().max()) > 0.01


def test_who_sees_whom_in_three_documents() -> None:
    seen = within_documents(torch.tensor([[1, 0, 2, 0, 3]]), 0)
    assert seen.shape == (1, 1, 5, 5)
    assert seen[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 0, 0, 1],
    ]


def test_turning_keeps_lengths_and_depends_on_the_distance_alone() -> None:
    cos, sin = turns(32, 16, 10_000, torch.device("cpu"))
    q, k = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(1))
    products = [
        float((turned(q, cos[i : i + 1], sin[i : i + 1]) * turned(k, cos[i - 3 : i - 2], sin[i - 3 : i - 2])).sum())
        for i in (3, 9, 31)
    ]
    assert products == pytest.approx([products[0]] * 3, rel=1e-4)
    assert float(turned(q, cos, sin)[..., 31, :].norm()) == pytest.approx(float(q.norm()), rel=1e-5)


def test_an_inner_step_trains_it_and_repeats_to_the_bit() -> None:
    import numpy as np

    configure_determinism("exact")
    config = config_of(kv_heads=2)
    model = build_model(config)
    batch = drawn_batch(np.random.Philox(key=7), config)
    ends = []
    for _ in range(2):
        state = TrainState.joiner(initial_theta(config))
        losses = [inner_step(config, model, state, batch).loss for _ in range(5)]
        assert losses[-1] < losses[0] - 0.1
        ends.append(state.to_tensors())
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])
