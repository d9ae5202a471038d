from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.data.batches import BatchSource
from trainer.model.device import DeviceUnavailable, choose_device, device_of
from trainer.model.state import Tensors
from trainer.steps.trajectory import replay_segment

pytestmark = pytest.mark.unit
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")


@pytest.fixture(autouse=True)
def _cpu_again() -> Iterator[None]:
    yield
    choose_device("cpu")


def test_a_device_that_torch_does_not_have_is_refused() -> None:
    with pytest.raises(DeviceUnavailable, match="tpu"):
        choose_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
def test_without_a_gpu_cuda_is_refused_and_the_cpu_stays() -> None:
    with pytest.raises(DeviceUnavailable, match="use cpu"):
        choose_device("cuda")
    assert device_of("portable") == torch.device("cpu")


@needs_gpu
def test_only_a_portable_run_leaves_the_cpu() -> None:
    choose_device("cuda")
    assert [device_of(profile).type for profile in ("portable", "exact", "bounded")] == ["cuda", "cpu", "cpu"]


@needs_gpu
def test_the_gpu_ends_a_segment_in_the_bits_of_the_cpu(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    portable = replace(config, profile="portable")
    ends = []
    for device in ("cpu", "cuda"):
        choose_device(device)
        ends.append(state_digest(replay_segment(portable, start, 0, batches)))
    assert ends[0] == ends[1] != state_digest(replay_segment(config, start, 0, batches))
