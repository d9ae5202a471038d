"""How far the inner steps of a round can move a weight at most: a gradient beyond that is no step's.

AdamW moves a weight by lr·m̂/(√v̂ + ε) and shrinks it by lr·decay (Loshchilov & Hutter). By Cauchy and Schwarz, whatever
the gradients were, |m|/√v ≤ (1 − β1)/√(1 − β2) · √(Σ (β1²/β2)^k); Kingma & Ba, section 2.1, bound the step alike.
Clipping changes nothing, since the quotient has no scale.
"""

from __future__ import annotations

import math

import numpy as np

from contracts.protocol.run_config import RunConfig
from trainer.steps.averaging import Weights

ROUNDING = 1.05
"""What float32 adds at most, generously."""
FURTHEST = 1e6
"""For any weight, whatever the rates are: sums over a run's nodes and rounds stay finite."""


def furthest(config: RunConfig) -> tuple[float, float]:
    """A weight w is moved by at most a + b·|w| in a round: (a, b)."""
    lr = config.rate("inner_lr")
    decay = config.rate("weight_decay")
    steps = config.steps
    moved = steps * lr * _quotient(config)
    shrunk = steps * lr * decay
    return min(FURTHEST, ROUNDING * moved * (1 + shrunk)), ROUNDING * shrunk + 1e-6


def is_within_reach(config: RunConfig, theta: Weights, gradient: Weights) -> bool:
    """Whether honest steps from these weights could have this pseudo-gradient. Both float32, of the run's layout."""
    a, b = furthest(config)
    return all(bool(np.all(np.abs(gradient[name]) <= a + b * np.abs(theta[name]))) for name in theta)


def _quotient(config: RunConfig) -> float:
    """The largest |m̂|/√v̂ after any number of steps."""
    beta1 = config.rate("beta1")
    beta2 = config.rate("beta2")
    if beta1 == 0.0:
        return 1.0 / math.sqrt(1.0 - beta2)
    if beta1**2 >= beta2:
        return math.inf
    corrected = max(1.0, math.sqrt(1.0 - beta2) / (1.0 - beta1))
    return corrected * (1.0 - beta1) / math.sqrt((1.0 - beta2) * (1.0 - beta1**2 / beta2))
