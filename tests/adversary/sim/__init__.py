"""The adversary: a deterministic simulator of one deployment, its nodes, verifiers, operator, holders and chain."""

from __future__ import annotations

from tests.adversary.sim.plan import Plan
from tests.adversary.sim.shrink import smaller
from tests.adversary.sim.story import story
from tests.adversary.sim.strategies import STRATEGIES, make
from tests.adversary.sim.world import play, simulate

__all__ = ["STRATEGIES", "Plan", "make", "play", "simulate", "smaller", "story"]
