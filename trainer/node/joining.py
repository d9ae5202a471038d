"""Whether a node's work could be decided: the verifiers that compute as this machine does, by the covered log.

In an exact run a verifier replays bit for bit. A verifier that computes otherwise has no word on the work: k equal
words never come, and the proof is undecided and unpaid. The machine of rules lets any profile of the run's list enrol,
and awaits its commitments. So a node looks before it enrols. It is never sure: a verifier may come or go later.
"""

from __future__ import annotations

import os

from contracts.ids import Address
from contracts.protocol.judge.rules.presence import judges
from contracts.protocol.judge.state import RunState, State
from contracts.protocol.run_config import RunConfig
from trainer.steps.profile import PORTABLE

_TELLING = ("MKL_", "ATEN_CPU_CAPABILITY", "ONEDNN_", "DNNL_", "OMP_", "KMP_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Variables of the environment, or their prefixes, that can change torch's results."""


def obstacle(state: State, run: RunState, profile: str) -> str:
    """The reason why work under a profile (0x-hex) would not be decided, as a sentence with a remedy; empty without
    one."""
    if RunConfig.from_json(run.config).profile == PORTABLE:
        return ""
    bound = [name for name in run.anchors if name in state.verifiers and state.verifiers[name].admitted]
    if profile in run.created.terms.profiles:
        if _able(run, bound, profile):
            return ""
        if not bound:
            return "no verifier is bound to the run yet: a node enrols once one is that computes as this machine does"
    return f"no verifier computes as this machine does (profile {profile}): its work would be undecided. {_remedy()}"


def _able(run: RunState, bound: list[Address], profile: str) -> list[Address]:
    if run.created.terms.pairs is not None:
        return judges(run, bound, profile)
    return [name for name in bound if run.anchors[name] and run.anchors[name][-1].profile == profile]


def _remedy() -> str:
    variables = sorted(name for name in os.environ if name.startswith(_TELLING))
    unset = f"Unset what changes arithmetic (set here: {', '.join(variables)}), use" if variables else "Use"
    return f"{unset} a machine with the torch and the processor of the verifiers, or join a run of the portable profile"
