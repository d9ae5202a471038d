"""Whether a node's work could be decided: the verifiers that compute as this machine does, by the covered log.

In an exact run a verifier replays bit for bit. A verifier that computes otherwise has no word on the work: k equal
words never come, and the proof is undecided and unpaid. The machine of rules lets any profile of the run's list enrol,
and awaits its commitments. So a node looks before it enrols. It is never sure: a verifier may come or go later.

In a run of several profiles (ADR 67) the node chooses one of those in which its machine computes. There the rules list
a node only where 2k - 1 verifiers read its profile, and the node waits for them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.ids import Address
from contracts.protocol.judge.rules.presence import judges, members
from contracts.protocol.judge.state import RunState, State
from contracts.protocol.run_config import RunConfig
from trainer.steps.profile import PORTABLE

_TELLING = ("MKL_", "ATEN_CPU_CAPABILITY", "ONEDNN_", "DNNL_", "OMP_", "KMP_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Variables of the environment, or their prefixes, that can change torch's results."""


@dataclass(frozen=True)
class Choice:
    """The profile (0x-hex) under which a node enrols, with the configuration by which it then computes; an empty one
    where there is none for it. `obstacle` says why its work would not be decided, or is empty."""

    profile: str
    config: RunConfig
    obstacle: str


def choose(
    state: State, run: RunState, ways: Mapping[str, RunConfig], enrolled: str = "", numerics: str = ""
) -> Choice:
    """Of the `ways` in which this machine computes (trainer/steps/computable.py) the one under which the node is
    enrolled already, since another begins its record anew; else the first that enough verifiers read, else the first.
    `numerics` leaves one arithmetic alone."""
    fitting = {profile: way for profile, way in ways.items() if numerics in ("", way.profile)}
    choices = [Choice(profile, way, obstacle(state, run, profile)) for profile, way in fitting.items()]
    if not choices:
        return Choice("", RunConfig.from_json(run.config), _none(run, ways, numerics))
    kept = [choice for choice in choices if choice.profile == enrolled]
    read = [choice for choice in choices if not choice.obstacle]
    return (kept or read or choices)[0]


def _none(run: RunState, ways: Mapping[str, RunConfig], numerics: str) -> str:
    if numerics and ways:
        return f"this machine computes none of the run's profiles in {numerics} arithmetic: leave --numerics away"
    listed = ", ".join(f"{name} {digest}" for name, digest in RunConfig.from_json(run.config).admitted)
    return f"this machine computes none of the run's profiles ({listed}). {_remedy()}"


def obstacle(state: State, run: RunState, profile: str) -> str:
    """The reason why work under a profile (0x-hex) would not be decided, as a sentence with a remedy; empty without
    one."""
    if run.created.terms.several:
        return _unread(state, run, profile)
    if RunConfig.from_json(run.config).profile == PORTABLE:
        return ""
    bound = [name for name in run.anchors if name in state.verifiers and state.verifiers[name].admitted]
    if profile in run.created.terms.profiles:
        if _able(run, bound, profile):
            return ""
        if not bound:
            return "no verifier is bound to the run yet: a node enrols once one is that computes as this machine does"
    return f"no verifier computes as this machine does (profile {profile}): its work would be undecided. {_remedy()}"


def _unread(state: State, run: RunState, profile: str) -> str:
    """In a run of several profiles: as the rules count them (`presence.is_read`), but those who are away for now."""
    readers = len(judges(run, members(state, run), profile))
    needed = 2 * state.k - 1
    if state.k and readers >= needed:
        return ""
    return (
        f"{readers} of the {needed} verifiers that it takes read the profile {profile}: a node of it takes part in no "
        "round until they are bound to the run. Wait for them, or choose another of the run's profiles (--numerics)"
    )


def _able(run: RunState, bound: list[Address], profile: str) -> list[Address]:
    if run.created.terms.pairs is not None:
        return judges(run, bound, profile)
    return [name for name in bound if run.anchors[name] and run.anchors[name][-1].profile == profile]


def _remedy() -> str:
    variables = sorted(name for name in os.environ if name.startswith(_TELLING))
    unset = f"Unset what changes arithmetic (set here: {', '.join(variables)}), use" if variables else "Use"
    return f"{unset} a machine with the torch and the processor of the verifiers, or join a run of the portable profile"
