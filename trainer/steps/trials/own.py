"""What this process computes with a model of one's own: two steps of it, and the digest of where they end.

The self-test of the profile computes our architectures. A package may ask other kernels, so the profile of its runs
holds this digest, too: a machine on which they give other bits has another profile, and no word on the work of this
one. The same steps show whether the package can be replayed at all.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from blake3 import blake3
from torch.func import functional_call

from contracts.protocol.run_config import RunConfig
from trainer.model.binding import bind
from trainer.model.building import build_model
from trainer.model.objective import loss_shares
from trainer.model.own.errors import InvalidModelPackage, ModelPackageUnusable
from trainer.model.own.interface import OwnModel, own_model
from trainer.model.own.loading import LOCK
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps.inner_step import NonFiniteLoss, inner_step
from trainer.steps.profile import ANY_LIMITS, BOUNDED, PORTABLE
from trainer.steps.trials.portable import check_portable, drawn_state
from trainer.steps.variants import Variant, chosen

STEPS, SEQUENCES = 2, 2


def trial_digest(config: RunConfig) -> str:
    """BLAKE3, in hex, of the steps of a run of one's own model. Call `configure_determinism` before.

    Nothing that a vote changes has a part in it. Raises ModelPackageMissing, ModelPackageDiffers, and
    InvalidModelPackage for a model whose steps fail or do not repeat.
    """
    own = own_model(config)
    told = {"model_config": own.told, "vocab": own.vocab, "context": own.context}
    sizes = {"weights_size": config.weights_size, "state_size": config.state_size}
    named = {"model_package": config.model_package, "model_digest": config.model_digest}
    shared = {"seed": config.seed, "precision": config.precision, "profile": config.profile}
    is_bounded = config.profile == BOUNDED
    limits = {"limits_digest": ANY_LIMITS} if is_bounded else {}
    small = RunConfig(architecture="own", batch=SEQUENCES, **shared, **limits, **told, **sizes, **named)  # type: ignore[arg-type]
    return _digest(small, chosen() if is_bounded else None)


@lru_cache(maxsize=8)
def _digest(config: RunConfig, _: Variant | None) -> str:
    """Once for each way to compute."""
    try:
        with LOCK:
            return _tried(config)
    except ModelPackageUnusable:
        raise
    except NonFiniteLoss as error:
        raise InvalidModelPackage(f"{config.model_package} begins with no number: {error.detail}") from error
    except Exception as error:
        raise InvalidModelPackage(f"a step of {config.model_package} fails: {type(error).__name__}: {error}") from error


def _tried(config: RunConfig) -> str:
    """Raises InvalidModelPackage."""
    own = own_model(config)
    if own.summed_loss() is None:
        _check_logits(config, own)
    else:
        _check_held_out(config, own)
    if config.profile == PORTABLE:
        check_portable(config)
    before = torch.get_rng_state()
    first = _steps(config, anew=False)
    if not torch.equal(before, torch.get_rng_state()):
        raise InvalidModelPackage(f"{config.model_package} draws random numbers in a step: no replay has the same")
    if _steps(config, anew=True) != first:
        raise InvalidModelPackage(
            f"two steps of {config.model_package} do not repeat: its module keeps something from step to step"
        )
    return first


def _steps(config: RunConfig, anew: bool) -> str:
    """The digest of two steps; `anew`: each with a module that was just built, as a replay has it."""
    words = np.random.Philox(key=59)
    is_portable = config.profile == PORTABLE
    state = drawn_state(words, config) if is_portable else TrainState.joiner(initial_theta(config))
    model = build_model(config)
    hasher = blake3()
    for _ in range(STEPS):
        model = build_model(config) if anew else model
        inner_step(config, model, state, drawn_batch(words, config))
        for group in (state.theta, state.m, state.v):
            for value in group.values():
                hasher.update(value.detach().cpu().contiguous().numpy().tobytes())
    return str(hasher.hexdigest())


def _check_held_out(config: RunConfig, own: OwnModel) -> None:
    """Verifiers sign the mean loss as the module's `eval()` leaves it. Raises InvalidModelPackage."""
    batch = drawn_batch(np.random.Philox(key=59), config)
    x, y = torch.from_numpy(batch.x), torch.from_numpy(batch.y)
    model = own.module().eval()
    bind(model, own.initial(config.seed))
    with torch.no_grad():
        loss = loss_shares(replace(config, precision="float32"), x, y)(model, slice(0, SEQUENCES)).item()
    if not math.isfinite(loss):
        raise InvalidModelPackage(f"loss_sum of {config.model_package} begins with {loss}, which is no number")


def _check_logits(config: RunConfig, own: OwnModel) -> None:
    """A module that returns something else may train, and no loss of it is comparable. Raises InvalidModelPackage."""
    batch = drawn_batch(np.random.Philox(key=59), config)
    with torch.no_grad():
        logits = functional_call(own.module(), own.initial(config.seed), (torch.from_numpy(batch.x),))
    expected = (SEQUENCES, config.context, config.vocab)
    if not isinstance(logits, torch.Tensor) or logits.dtype != torch.float32 or tuple(logits.shape) != expected:
        raise InvalidModelPackage(f"forward of {config.model_package} returns no float32 logits of {expected}")
