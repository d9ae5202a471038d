"""An appeal's search for the first inner step on which node and respondent differ.

Both agree on the state at the segment's start (the node opened it) and disagree on its end. Each move names the state
in the middle; the half that holds the first difference is kept. After log2(k) rounds of two signed moves one step is
left, and a panel replays that alone (the idea of Verde, arXiv 2502.19405, and of refereed games before it).
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import CommonweightError


class BisectionOver(CommonweightError):
    """Only one step is left: there is nothing to move on."""

    code = "bisection-over"
    status = 409


@dataclass(frozen=True)
class Bisection:
    """Inner steps of the run's round, `agreed` < `disputed`; the state after `agreed` is common to both parties."""

    agreed: int
    disputed: int

    @property
    def over(self) -> bool:
        """One step is left."""
        return self.disputed - self.agreed == 1

    @property
    def middle(self) -> int:
        """The step that both parties must name the state after. Raises BisectionOver."""
        if self.over:
            raise BisectionOver(f"only step {self.disputed} is left")
        return (self.agreed + self.disputed) // 2

    def after(self, node: bytes, respondent: bytes) -> Bisection:
        """What is left once both have named the state after `middle`. Raises BisectionOver."""
        return Bisection(self.middle, self.disputed) if node == respondent else Bisection(self.agreed, self.middle)

    def moves_left(self) -> int:
        """Messages still to come: two for each halving."""
        return 2 * (self.disputed - self.agreed - 1).bit_length()


def segment_bisection(segment: int, steps: int) -> Bisection:
    """Where an appeal about `segment` (from 0, of `steps` inner steps) begins."""
    return Bisection(segment * steps, (segment + 1) * steps)
