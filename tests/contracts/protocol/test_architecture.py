"""Names and shapes of a run's weights, as the server knows them without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from contracts.protocol.architecture import parameter_count, theta_layout, weight_shapes
from contracts.protocol.run_config import InvalidRunConfig, RunConfig

pytestmark = pytest.mark.unit
LLAMA = RunConfig(architecture="llama", layers=2, d_model=96, heads=6, kv_heads=2, vocab=512)


def test_layouts_are_sorted_by_name_and_counted() -> None:
    for config in (RunConfig(), LLAMA):
        shapes = weight_shapes(config)
        assert list(shapes) == sorted(shapes)
        assert list(theta_layout(config)) == [f"theta.{name}" for name in shapes]
    assert parameter_count(RunConfig()) == (256 + 64 + 1) * 192 + 2 * (12 * 192**2 + 2 * 192)


def test_untied_embeddings_are_one_matrix_more() -> None:
    untied = RunConfig(architecture="llama", tied=False)
    tied = RunConfig(architecture="llama")
    assert weight_shapes(untied).keys() - weight_shapes(tied).keys() == {"lm_head.weight"}
    assert parameter_count(untied) - parameter_count(tied) == 256 * 192


def test_keys_and_values_of_grouped_queries_are_narrower() -> None:
    assert weight_shapes(LLAMA)["model.layers.1.self_attn.k_proj.weight"] == (32, 96)
    assert weight_shapes(LLAMA)["model.layers.1.mlp.down_proj.weight"] == (96, 256)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"architecture": "mamba"}, "architecture"),
        ({"tied": False}, "tied"),
        ({"mlp_width": 64}, "mlp_width"),
        ({"norm_eps": "0.1"}, "norm_eps"),
        ({"norm_eps": "0.001"}, "norm_eps"),
        ({"architecture": "llama", "kv_heads": 4}, "kv_heads"),
        ({"architecture": "llama", "heads": 64}, "heads"),
        ({"architecture": "llama", "tied": 1}, "tied"),
        ({"document_end": 0, "profile": "portable"}, "document_end"),
        ({"document_end": 0, "profile": "bounded", "limits_digest": "ab" * 32}, "document_end"),
        ({"vocab": 255}, "vocab"),
    ],
    ids=str,
)
def test_a_model_that_is_none_is_refused_by_its_field(fields: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidRunConfig, match=f"^{name} "):
        RunConfig(**fields)  # type: ignore[arg-type]


def test_shapes_are_known_without_torch() -> None:
    code = "import sys, contracts.protocol.architecture; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
