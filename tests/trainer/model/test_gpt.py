"""Our own layout tells documents apart where its run names what ends them."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

from contracts.protocol.run_config import RunConfig
from trainer.model.building import build_model, initial_parameters
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step

pytestmark = pytest.mark.unit
END = 7
PLAIN = RunConfig(layers=2, d_model=32, heads=2, context=40)
APART = RunConfig(layers=2, d_model=32, heads=2, context=40, document_end=END)


def logits(config: RunConfig, tokens: torch.Tensor) -> torch.Tensor:
    theta = {name: 3 * value for name, value in initial_parameters(config).items()}
    found: torch.Tensor = functional_call(build_model(config), theta, (tokens,))
    return found


def test_a_gpt_sees_no_other_document() -> None:
    """Whatever a document says, the next one is read alike; its own end is the last that hears of it."""
    tokens = torch.randint(8, 256, (1, 40), generator=torch.Generator().manual_seed(5))
    tokens[0, 9] = tokens[0, 30] = END
    other = tokens.clone()
    other[0, 4] = 8 + (tokens[0, 4] + 1) % 200
    before, after = logits(APART, tokens), logits(APART, other)
    assert torch.equal(before[:, :4], after[:, :4])
    assert torch.equal(before[:, 10:], after[:, 10:])
    assert float((before[:, 9] - after[:, 9]).abs().max()) > 1e-3
    assert float((logits(PLAIN, tokens)[:, 10:] - logits(PLAIN, other)[:, 10:]).abs().max()) > 1e-3


def test_a_gpt_without_ends_in_its_window_reads_as_before() -> None:
    tokens = torch.randint(8, 256, (2, 40), generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(logits(APART, tokens), logits(PLAIN, tokens), atol=2e-5, rtol=1e-5)


def test_a_step_with_documents_apart_repeats_to_the_bit() -> None:
    import numpy as np

    configure_determinism("exact")
    batch = drawn_batch(np.random.Philox(key=3), APART)
    batch.x[:, 11] = END
    ends = []
    for config in (APART, APART, PLAIN):
        state = TrainState.joiner(initial_theta(config))
        inner_step(config, build_model(config), state, batch)
        ends.append(state.theta["blocks.0.attention.qkv.weight"])
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])
