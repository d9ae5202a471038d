"""The cheats that verification must catch, each a real node (docs/attacks.md lists them all).

The catalogue loads no torch, so that a command line can name the cheats; their code is loaded on use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.errors import CommonweightError
from trainer.cheats.catalogue import CHEATS, Cheat

if TYPE_CHECKING:
    from trainer.conduct import Conduct
    from trainer.steps.trajectory import InnerRunner

__all__ = ["CHEATS", "Cheat", "UnknownCheat", "conduct", "runner"]


class UnknownCheat(CommonweightError):
    """No cheat has this name."""

    code = "unknown-cheat"


def conduct(cheat: str | None = None) -> Conduct:
    """The conduct of a cheat by its name; the honest one for None. Raises UnknownCheat."""
    from trainer.cheats.commitments import Worked
    from trainer.cheats.protocol import CONDUCTS
    from trainer.cheats.work import RUNNERS
    from trainer.conduct import Conduct

    if cheat is None:
        return Conduct()
    if cheat in RUNNERS:
        return Worked(RUNNERS[cheat])
    if cheat not in CONDUCTS:
        raise UnknownCheat(f"{cheat!r} is not one of {', '.join(sorted(CHEATS))}")
    return CONDUCTS[cheat]()


def runner(cheat: str | None = None) -> InnerRunner:
    """The inner loop of a cheat of the work; the honest one for None. Raises UnknownCheat."""
    from trainer.cheats.work import RUNNERS
    from trainer.steps.trajectory import run_inner

    if cheat is None:
        return run_inner
    if cheat not in RUNNERS:
        raise UnknownCheat(f"{cheat!r} is not one of {', '.join(sorted(RUNNERS))}")
    return RUNNERS[cheat]
