"""Errors of a node of several processes.

CommonweightError
├── RankLost           a process of the node ended, or cannot be reached
└── RanksDoNotDivide   the run's blocks cannot be shared out evenly among the node's processes
"""

from __future__ import annotations

from contracts.errors import CommonweightError


class RankLost(CommonweightError):
    """A process of this node ended in the middle of a round, or was not heard of: the round is to be done again."""

    code = "rank-lost"


class RanksDoNotDivide(CommonweightError):
    """The number of this node's processes does not divide the run's `ranks`."""

    code = "ranks-do-not-divide"
