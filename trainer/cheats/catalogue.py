"""What each cheat is: how it works, what it would gain, and what stops it. The page docs/attacks.md is made of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.reasons import Reason

REPLAY, PROFILE = Reason.REPLAY_MISMATCH, Reason.PROFILE_UNSUPPORTED
GRADIENT, WITHHELD = Reason.PSEUDO_GRADIENT_MISMATCH, Reason.OPENING_WITHHELD


@dataclass(frozen=True)
class Cheat:
    """One way to be paid for less than the work, or to harm.

    `expected` is the reason of the verdict, or the code of the refusal where the server does not take the message.
    `stopped_by` names the check (of verifier/checks.py) or the rule of the ledger. `seen_by_replay` is whether
    replaying the right segment alone, without any other rule, would show it.
    """

    name: str
    how: str
    gain: str
    stopped_by: str
    expected: Reason | str
    seen_by_replay: bool

    @property
    def outcome(self) -> str:
        """`replay-mismatch` for a reason, or the refusal's code."""
        return self.expected.slug if isinstance(self.expected, Reason) else self.expected

    @property
    def refused(self) -> bool:
        """Whether the server refuses a message of it, rather than verifiers rejecting its proof."""
        return not isinstance(self.expected, Reason)

    def row(self) -> str:
        """Its line in a table of docs/attacks.md."""
        seen = "yes" if self.seen_by_replay else "no"
        return f"| `{self.name}` | {self.how} | {self.gain} | {self.stopped_by} | {seen} | `{self.outcome}` |"


def _replayed(name: str, how: str, gain: str) -> Cheat:
    return Cheat(name, how, gain, "check 4", REPLAY, True)


def _refused(name: str, how: str, gain: str, stopped_by: str, code: str) -> Cheat:
    return Cheat(name, how, gain, stopped_by, code, False)


_NOT_DONE = (
    _replayed("skip-all", "Runs no step: every boundary is the round's start with a larger step count.", "all compute"),
    _replayed("skip-half", "Runs the first half; then repeats the last real update in a straight line.", "half"),
    _replayed("skip-middle", "Runs one segment; then repeats its last update in a straight line.", "all but a segment"),
    _replayed("skip-one-segment", "Runs all but one segment in the middle, which only counts steps.", "one segment"),
    _replayed("interpolate", "Runs a quarter and spreads it over all boundaries in a straight line.", "three quarters"),
    _replayed(
        "copied-end", "Takes another node's end weights from its public pseudo-gradient and goes straight there.",
        "all compute, with a good pseudo-gradient",
    ),
    _replayed(
        "copied-end-perturbed", "The same, each weight moved a little, so that no two end states are equal.",
        "all compute, not found by comparing end states",
    ),
    _replayed(
        "copied-trajectory", "Waits until an accepted proof was opened, then commits to the same root and opens the "
        "same states under its own key. The batches depend on the node's address.", "all compute",
    ),
    _replayed(
        "shared-work", "Two identities, one computation: trains on the other identity's batches and claims them as its "
        "own.", "one round's pay for nothing, per further identity",
    ),
)  # fmt: skip

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
        "one-token-at-the-end", "Changes one target, in the last step of each segment only; the others dilute it.",
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
        "drift", "Moves every update by a millionth of its length along one direction, the same in all rounds. Exact "
        "comparison sees it; where a limit leaves room for rounding, only residuals followed over rounds do.",
        "a backdoor that grows within the limits",
    ),
)  # fmt: skip

_STATES = (
    _replayed(
        "stale-start", "Trains from the previous round's weights; only boundary 0 is this round's start.",
        "the download of the weights; a head start",
    ),
    _replayed("made-up-moments", "True weights at every boundary, with moments nobody computed.", "memory for them"),
    _replayed(
        "planted-moments", "True states but the last, whose moments are made up to steer the next round.",
        "a first step of its own choice in the next round",
    ),
    _refused(
        "nan-state", "One weight of one boundary in the middle is NaN.", "a verifier that crashes or finds NaN equal",
        "ledger: an opening must be finite", "invalid-tensor-file",
    ),
    _refused(
        "infinite-moment", "One first moment of the last boundary is infinite.", "the same",
        "ledger: an opening must be finite", "invalid-tensor-file",
    ),
)  # fmt: skip

_GRADIENTS = (
    Cheat("gradient-x2", "Does the work, and claims twice the pseudo-gradient.", "twice the say in the merge",
          "check 6", GRADIENT, False),
    Cheat("gradient-x10", "Does the work, and claims ten times the pseudo-gradient.", "the merge goes its way",
          "check 6", GRADIENT, False),
    Cheat("gradient-reversed", "Does the work, and claims the negative pseudo-gradient.", "undoes a node's work",
          "check 6", GRADIENT, False),
    _refused("nan-gradient", "A NaN in the pseudo-gradient.", "the end of the run: NaN spreads in the merge",
             "ledger: a pseudo-gradient must be finite", "invalid-tensor-file"),
    _refused("infinite-gradient", "An infinity in the pseudo-gradient.", "the same",
             "ledger: a pseudo-gradient must be finite", "invalid-tensor-file"),
    _refused("gradient-bait", "Uploads another pseudo-gradient than the one whose digest it signed.",
             "a merge over bytes that nobody committed to", "ledger: proof rule 6", "binding-mismatch"),
)  # fmt: skip

_PROOFS = (
    _refused("front-run", "Copies a pending proof, root and all, under its own key before anything was opened.",
             "all compute; the victim as the copy", "ledger: proof rule 5", "invalid-merkle-proof"),
    _refused("replayed-round", "Signs an accepted proof of the previous round anew, for this round.", "all compute",
             "ledger: proof rule 4", "binding-mismatch"),
    _refused("other-run", "Claims work that was done on the data of another run.", "one computation paid by two runs",
             "ledger: proof rule 4", "binding-mismatch"),
    _refused("other-chain", "Sends a proof signed for the same contracts on another chain.",
             "one computation paid on two chains", "EIP-712 domain", "bad-signature"),
    _refused("impostor", "Commits to nothing in another node's name.", "the other cannot commit any more",
             "ledger: proof rule 1", "bad-signature"),
    _refused("zero-steps", "A joiner proves zero steps: one boundary, start and end at once.", "a share for joining",
             "ledger: proof rule 4", "binding-mismatch"),
    _refused("more-tokens", "Claims ten times the round's tokens.", "ten times the pay", "ledger: proof rule 4",
             "binding-mismatch"),
    _refused("other-end", "Names an end state that is not the commitment's last entry.", "an end free to choose later",
             "ledger: proof rule 5", "invalid-merkle-proof"),
    Cheat("other-profile", "Computes in bfloat16 and names a numerics profile that no verifier has.",
          "half of the compute, and nobody to compare with", "check 2", PROFILE, False),
    _refused("profile-changed", "Computes in bfloat16, commits, and then commits again under another profile.",
             "the profile in which it looks best", "ledger: proof rule 3", "already-committed"),
    _refused("second-proof", "Commits to skipped work and, once the sample follows from that, to the honest work.",
             "a sample that it knows", "ledger: proof rule 3", "already-committed"),
)  # fmt: skip

_OPENINGS = (
    Cheat("withheld", "Skips all but the first segment, and opens only what it did.", "all but a segment", "check 3",
          WITHHELD, False),
    _refused("other-segment", "Opens the segment that it did under the number of the one that was drawn.",
             "all but a segment", "ledger: path of an opening", "invalid-merkle-proof"),
    _refused("late-work", "Skips, and does a segment only once it was drawn.", "all segments that are not drawn",
             "ledger: path of an opening", "invalid-merkle-proof"),
    _refused("wrong-bytes", "Signs for the right state and uploads the bytes of another.", "one bad verifier's word",
             "ledger: digest of an opening", "opening-mismatch"),
    _refused("unasked-boundary", "Answers a draw with a boundary that nobody asked for, beyond the round.",
             "a verifier that trips", "ledger: path of an opening", "invalid-merkle-proof"),
)  # fmt: skip

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
