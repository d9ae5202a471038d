"""The catalogue of cheats: how each works, its gain, and the rule that stops it. docs/attacks.md is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WITHHELD = "opening-withheld"
OUT = "out"
CODES = frozenset({"already-said", "bad-signature", "invalid-merkle-proof", "not-asked", "not-bound"})


@dataclass(frozen=True)
class Cheat:
    """One way to be paid for less than the work, or to harm.

    `outcome` is the reason for which its proof is void; `out` where k verifiers do not say that they hold what it
    committed to; or the code with which the server and every mirror refuse a message of it. `stopped_by` names the rule
    (docs/judge.md). `seen_by_replay` is whether replaying the right segment alone, without any other rule, would show
    it.
    """

    name: str
    how: str
    gain: str
    stopped_by: str
    outcome: str
    seen_by_replay: bool

    @property
    def refused(self) -> bool:
        """Whether one of its messages is refused, rather than its proof void or out."""
        return self.outcome in CODES

    def row(self) -> str:
        """Its line in a table of docs/attacks.md."""
        seen = "yes" if self.seen_by_replay else "no"
        return f"| `{self.name}` | {self.how} | {self.gain} | {self.stopped_by} | {seen} | `{self.outcome}` |"


def _replayed(name: str, how: str, gain: str) -> Cheat:
    return Cheat(name, how, gain, "J8: a replay", "replay-mismatch", True)


def _bound(name: str, how: str, gain: str, outcome: str = "not-bound", rule: str = "J7: bound to the round") -> Cheat:
    return Cheat(name, how, gain, rule, outcome, False)


_NOT_DONE = (
    _replayed("skip-all", "Runs no step: every boundary is the round's start with a larger step count.", "all compute"),
    _replayed("skip-half", "Runs the first half; then repeats the last real update in a straight line.", "half"),
    _replayed("skip-middle", "Runs one segment; then repeats its last update in a straight line.", "all but a segment"),
    _replayed("skip-one-segment", "Runs all but one segment in the middle, which only counts steps.", "one segment"),
    _replayed("interpolate", "Runs a quarter and spreads it over all boundaries in a straight line.", "three quarters"),
    _replayed(
        "copied-end",
        "Takes another node's end weights from its public pseudo-gradient and goes straight there.",
        "all compute, with a good pseudo-gradient",
    ),
    _replayed(
        "copied-end-perturbed",
        "The same, each weight moved a little, so that no two end states are equal.",
        "all compute, not found by comparing end states",
    ),
    _replayed(
        "copied-trajectory",
        "Commits to another node's root under its own key, and opens what that one opens of it. "
        "The batches depend on the node's address.",
        "all compute",
    ),
    _replayed(
        "shared-work",
        "Two identities, one computation: trains on the other identity's batches and claims them as its own.",
        "one round's pay for nothing, per further identity",
    ),
)

_BADLY_DONE = (
    _replayed("own-text", "Trains on windows of a text of its own.", "what the model says; or data at hand"),
    _replayed("easy-data", "Trains on windows of almost no entropy.", "a low training loss to show"),
    _replayed("repeated-data", "Trains on the round's first batch in every step.", "data loading"),
    _replayed("reordered-data", "Trains on the right batches in another order.", "nothing; a sign of another loader"),
    _replayed("short-context", "Trains on the first half of each window.", "about half of the compute"),
    _replayed("half-batch", "Trains on half of the sequences.", "half of the compute"),
    _replayed("one-sample", "Trains on each batch with one sequence replaced.", "one sequence of each batch"),
    _replayed("one-token", "Trains with one target of each batch changed.", "a grain of poison in every step"),
    _replayed(
        "one-token-at-the-end",
        "Changes one target, in the last step of each segment only; the others dilute it.",
        "the smallest poison that a segment can hide",
    ),
    _replayed("poisoned-last-step", "Does the round's last step on a text of its own.", "the last word in the round"),
    _replayed("learning-rate-half", "Runs all steps at half of the learning rate.", "nothing; it slows the others"),
    _replayed("learning-rate-99", "Runs all steps at 0.99 of the learning rate.", "nothing; a test of the limits"),
    _replayed("learning-rate-999", "Runs all steps at 0.999 of the learning rate.", "nothing; a test of the limits"),
    _replayed("frozen-layer", "Leaves the first block as it was.", "that block's backward pass and moments"),
    _replayed("no-decay", "Runs without weight decay.", "a pass over the weights"),
    _replayed("other-beta2", "Runs AdamW with another beta2.", "nothing; another library's default"),
    _replayed("other-eps", "Runs AdamW with a hundred times the epsilon.", "nothing; another library's default"),
    _replayed("no-clipping", "Runs without gradient clipping.", "a reduction over all gradients"),
    _replayed("noise", "Steps along random gradients.", "forward and backward pass"),
    _replayed("bf16", "Computes forward and backward in bfloat16 autocast.", "about half of the compute on a GPU"),
    _replayed("fp16", "Computes forward and backward in float16 autocast.", "about half of the compute on a GPU"),
    _replayed("int8-weights", "Computes with matrices rounded to int8.", "up to three quarters of the compute"),
    _replayed("fp8-weights", "Computes with matrices rounded to float8 (E4M3).", "up to three quarters of the compute"),
    _replayed(
        "drift",
        "Moves every update by a millionth of its length along one direction, the same in all rounds. Exact "
        "comparison sees it; where a limit leaves room for rounding, only residuals followed over rounds do.",
        "a backdoor that grows within the limits",
    ),
)

_STATES = (
    _replayed(
        "stale-start",
        "Trains from the previous round's weights; only boundary 0 is this round's start.",
        "the download of the weights; a head start",
    ),
    _replayed("made-up-moments", "True weights at every boundary, with moments nobody computed.", "memory for them"),
    _replayed(
        "planted-moments",
        "True states but the last, whose moments are made up to steer the next round.",
        "a first step of its own choice in the next round",
    ),
    Cheat(
        "nan-state",
        "One weight of one boundary in the middle is NaN.",
        "a verifier that crashes or finds NaN equal",
        "J10: a word for every segment",
        "replay-mismatch",
        False,
    ),
    Cheat(
        "infinite-moment",
        "One first moment of the last boundary is infinite.",
        "the same",
        "J10: a word for every segment",
        "replay-mismatch",
        False,
    ),
)

_GRADIENTS = (
    _bound(
        "gradient-x2",
        "Does the work, and claims twice the pseudo-gradient.",
        "twice the say in the merge",
        "replay-mismatch",
        "J7: the end is start less gradient",
    ),
    _bound(
        "gradient-x10",
        "Does the work, and claims ten times the pseudo-gradient.",
        "the merge goes its way",
        OUT,
        "J5: held by k, in reach of the steps",
    ),
    _bound(
        "gradient-reversed",
        "Does the work, and claims the negative pseudo-gradient.",
        "undoes a node's work",
        "replay-mismatch",
        "J7: the end is start less gradient",
    ),
    _bound(
        "nan-gradient",
        "A NaN in the pseudo-gradient.",
        "the end of the run: NaN spreads in the merge",
        OUT,
        "J5: held by k, finite",
    ),
    _bound("infinite-gradient", "An infinity in the pseudo-gradient.", "the same", OUT, "J5: held by k, finite"),
    _bound(
        "gradient-bait",
        "Uploads another pseudo-gradient than the one whose digest it signed.",
        "a merge over bytes that nobody committed to",
        OUT,
        "J5: held by k, by digest",
    ),
)

_PROOFS = (
    _bound(
        "front-run",
        "Copies a commitment that stands in the log under its own key, and opens nothing.",
        "all compute; the victim as the copy",
        WITHHELD,
        "J7: what is not opened is withheld",
    ),
    _bound("replayed-round", "Signs an accepted proof of the previous round anew, for this round.", "all compute"),
    _bound("other-run", "Claims work that was done on the data of another run.", "one computation paid by two runs"),
    _bound(
        "other-chain",
        "Sends a proof signed for the same contracts on another chain.",
        "one computation paid on two chains",
        "bad-signature",
        "J16: the signing domain",
    ),
    _bound(
        "impostor",
        "Commits to nothing in another node's name.",
        "the other cannot commit any more",
        "bad-signature",
        "J5: the node's own signature",
    ),
    _bound("zero-steps", "A joiner proves zero steps: one boundary, start and end at once.", "a share for joining"),
    _bound("more-tokens", "Claims ten times the round's tokens.", "ten times the pay"),
    _bound(
        "other-end",
        "Names an end state that is not the commitment's last entry.",
        "an end free to choose later",
        "invalid-merkle-proof",
        "J7: the end's path",
    ),
    _bound(
        "other-profile",
        "Computes in bfloat16 and names a numerics profile that no verifier has.",
        "half of the compute, and nobody to compare with",
        rule="J4: a profile of the manifest",
    ),
    _bound(
        "profile-changed",
        "Computes in bfloat16, commits, and then commits again under another profile.",
        "the profile in which it looks best",
        "already-said",
        "J5: one commitment a round",
    ),
    _bound(
        "second-proof",
        "Commits to skipped work and, once the sample follows from that, to the honest work.",
        "a sample that it knows",
        "already-said",
        "J5: one commitment a round",
    ),
)

_OPENINGS = (
    _bound(
        "withheld",
        "Skips all but the first segment, and opens only what it did.",
        "all but a segment",
        WITHHELD,
        "J7: what is not opened is withheld",
    ),
    _bound(
        "other-segment",
        "Opens the segment that it did under the number of the one that was drawn.",
        "all but a segment",
        rule="J7: path of an opening",
    ),
    _bound(
        "late-work",
        "Skips, and does a segment only once it was drawn.",
        "all segments that are not drawn",
        rule="J7: path of an opening",
    ),
    _bound(
        "wrong-bytes",
        "Signs for the right state and uploads the bytes of another, and never opens that one.",
        "one bad verifier's word",
        WITHHELD,
        "J7: what is not opened is withheld",
    ),
    _bound(
        "unasked-boundary",
        "Answers a draw with a boundary that nobody asked for, beyond the round.",
        "a verifier that trips",
        "not-asked",
        "J7: what was drawn is opened",
    ),
)

GROUPS: Mapping[str, tuple[Cheat, ...]] = {
    "Work not done": _NOT_DONE,
    "Work done badly": _BADLY_DONE,
    "States": _STATES,
    "Pseudo-gradients": _GRADIENTS,
    "Proofs": _PROOFS,
    "Openings": _OPENINGS,
}
"""Heading of the page to its cheats."""

CHEATS: Mapping[str, Cheat] = {cheat.name: cheat for group in GROUPS.values() for cheat in group}
