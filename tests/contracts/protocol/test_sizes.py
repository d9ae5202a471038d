from __future__ import annotations

import pytest

from contracts.protocol.architecture import parameter_count, theta_layout
from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from contracts.protocol.sizes import SIZES, fields_of
from contracts.tensors.state_layout import full_layout
from contracts.tensors.tensorfile import packed_size
from trainer.model.building import build_model

pytestmark = pytest.mark.unit
NOMINAL = {"1M": 1e6, "15M": 15e6, "150M": 150e6, "400M": 400e6, "1.1B": 1.1e9, "7B": 7e9, "10B": 10e9}


@pytest.mark.parametrize("size", SIZES)
def test_a_size_has_as_many_parameters_as_its_name_says(size: str) -> None:
    """The model of each is built, without memory."""
    config = RunConfig(**fields_of(size))
    count = sum(parameter.numel() for parameter in build_model(config).parameters())
    assert count == parameter_count(config)
    assert count == pytest.approx(NOMINAL[size], rel=0.06)
    assert packed_size(full_layout(theta_layout(config))) == pytest.approx(12 * count, rel=0.06)


def test_an_unknown_size_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidRunConfig, match="size must be one of 1M, 15M, 150M, 400M"):
        fields_of("2M")
