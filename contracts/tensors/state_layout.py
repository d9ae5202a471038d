"""The tensors of a training state: weights `theta.*`, AdamW moments `m.*` and `v.*`, and the step count.

Known to the server too (numpy only), so that an opening is checked where it arrives.
"""

from __future__ import annotations

from contracts.tensors.tensorfile import Layout, Tensors, state_digest

STEP_NAME = "adam.step"


def full_layout(theta: Layout) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Layout of the full state from that of the weights."""
    expected: dict[str, tuple[str, tuple[int, ...]]] = {STEP_NAME: ("I64", (1,))}
    for prefix in ("theta", "m", "v"):
        expected |= {f"{prefix}.{name.removeprefix('theta.')}": spec for name, spec in theta.items()}
    return expected


def theta_digest(tensors: Tensors) -> bytes:
    """Digest of the weights alone, 32 bytes."""
    return state_digest({name: value for name, value in tensors.items() if name.startswith("theta.")})


def inner_digest(tensors: Tensors) -> bytes:
    """Digest of the inner optimizer state alone (moments and step count), 32 bytes."""
    return state_digest({name: value for name, value in tensors.items() if not name.startswith("theta.")})


def boundary_entry(tensors: Tensors) -> bytes:
    """A commitment's entry of one boundary: weight digest ‖ inner digest, 64 bytes.

    In two halves, so that the first and last entries follow from digests in the Commitment, without any blob.
    """
    return theta_digest(tensors) + inner_digest(tensors)
