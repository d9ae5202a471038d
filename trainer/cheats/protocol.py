"""Every cheat of the protocol by name: the conduct of a node that is dishonest around its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from trainer.cheats import commitments, copying, openings
from trainer.cheats.skipping import skip_all, skip_middle
from trainer.cheats.work import RUNNERS
from trainer.conduct import Conduct

CONDUCTS: Mapping[str, Callable[[], Conduct]] = {
    "copied-end": copying.CopiedEnd,
    "copied-end-perturbed": partial(copying.CopiedEnd, noise=0.01),
    "copied-trajectory": copying.CopiedTrajectory,
    "front-run": copying.FrontRun,
    "shared-work": copying.SharedWork,
    "stale-start": copying.StaleStart,
    "replayed-round": copying.ReplayedRound,
    "other-run": partial(commitments.Altered, skip_all, commitments.other_run),
    "other-chain": partial(commitments.Altered, skip_all, commitments.other_chain),
    "impostor": partial(commitments.Altered, skip_all, commitments.impostor),
    "gradient-x2": partial(commitments.OtherGradient, commitments.scaled(2.0)),
    "gradient-x10": partial(commitments.OtherGradient, commitments.scaled(10.0)),
    "gradient-reversed": partial(commitments.OtherGradient, commitments.reversed_sign),
    "nan-gradient": partial(commitments.OtherGradient, commitments.with_entry(float("nan"))),
    "infinite-gradient": partial(commitments.OtherGradient, commitments.with_entry(float("inf"))),
    "gradient-bait": partial(commitments.Altered, skip_middle, commitments.bait),
    "zero-steps": partial(commitments.Altered, skip_all, commitments.zero_steps),
    "more-tokens": partial(commitments.Altered, skip_middle, commitments.more_tokens),
    "other-end": partial(commitments.Altered, skip_middle, commitments.other_end),
    "other-profile": partial(commitments.Altered, RUNNERS["bf16"], commitments.other_profile),
    "profile-changed": partial(commitments.Doubled, RUNNERS["bf16"], commitments.other_profile),
    "second-proof": partial(commitments.Doubled, skip_all, commitments.second_thoughts),
    "withheld": openings.Withheld,
    "other-segment": openings.OtherSegment,
    "late-work": openings.LateWork,
    "wrong-bytes": openings.WrongBytes,
    "unasked-boundary": openings.Unasked,
}
