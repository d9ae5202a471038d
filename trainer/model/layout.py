"""The weights of a run's model, by its architecture; those of one's own model as its package builds them."""

from __future__ import annotations

from contracts.protocol import architecture
from contracts.protocol.run_config import RunConfig

Shapes = architecture.Shapes


def weight_shapes(config: RunConfig) -> Shapes:
    """Name to shape of every weight, in the order of the names; all are float32.

    Raises ModelPackageMissing, ModelPackageDiffers and InvalidModelPackage.
    """
    if config.architecture != "own":
        return architecture.weight_shapes(config)
    from trainer.model.own.interface import own_model  # with torch, which the other layouts need not

    return dict(own_model(config).shapes)


def theta_layout(config: RunConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The layout of a file of weights, of a pseudo-gradient or of the outer momentum. Raises as `weight_shapes`."""
    return {f"theta.{name}": ("F32", shape) for name, shape in weight_shapes(config).items()}
