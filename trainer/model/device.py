"""Where this process computes the steps of a portable run: on the CPU, or on a CUDA GPU, with the same bits.

The portable profile asks for correctly rounded + - * / and sqrt and a product that adds in some order (ADR 18). CUDA's
float32 and float64 kernels give that: IEEE 754 division and square root, no flushing of denormal numbers, and no TF32
under torch's "highest" precision. The exact and the bounded profile stay on the CPU: there, another device is another
profile.
"""

from __future__ import annotations

import os

import torch

from contracts.errors import CommonweightError

CPU = "cpu"
CUDA = "cuda"
_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it torch's deterministic mode refuses cuBLAS
_chosen = torch.device(CPU)
_offloads = False


class DeviceUnavailable(CommonweightError):
    """The device that was asked for is not one that this process can compute on."""

    code = "device-unavailable"


def choose_device(name: str) -> None:
    """Compute portable runs on `cpu` or `cuda` from now on; call it before the first step. Raises DeviceUnavailable."""
    global _chosen
    if name not in (CPU, CUDA):
        raise DeviceUnavailable(f"{name!r} is not a device; use cpu or cuda")
    if name == CUDA:
        if not torch.cuda.is_available():
            raise DeviceUnavailable("torch sees no CUDA GPU: install a CUDA build of torch and a driver, or use cpu")
        os.environ.setdefault(*_WORKSPACE)
    _chosen = torch.device(name)


def choose_offload(offload: bool) -> None:
    """Keep the optimizer's moments in the host's memory from now on, or where steps are computed."""
    global _offloads
    _offloads = offload


def is_offloading() -> bool:
    """Whether moments are in the host's memory."""
    return _offloads


def moments_device_of(profile: str) -> torch.device:
    """Where the moments of a run under `profile` are between steps."""
    return torch.device(CPU) if _offloads else device_of(profile)


def free_card_bytes(profile: str, processes: int) -> list[int]:
    """Free memory of each GPU on which so many processes compute a run under `profile`; none where the CPU does."""
    if device_of(profile).type != CUDA:
        return []
    cards = min(processes, torch.cuda.device_count())
    return [int(torch.cuda.mem_get_info(index)[0]) for index in range(cards)]


def chosen_device() -> str:
    """The name that `choose_device` was told."""
    return _chosen.type


def device_of(profile: str) -> torch.device:
    """The device of a run under `profile`: the chosen one if it is portable, else the CPU."""
    return _chosen if profile == "portable" else torch.device(CPU)
