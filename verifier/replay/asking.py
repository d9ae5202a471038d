"""Questions to jobs, from the machine's state and the log's messages, and the blobs that the jobs need."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.ids import Address, ProofId, RunId, to_hex
from contracts.protocol.judge.rules.duties import Combine, Hold, LookAgain, Read, VerifierDuty, of_verifier
from contracts.protocol.judge.state import RoundState, State
from verifier.replay.combining import Basis
from verifier.replay.holding import Held
from verifier.replay.replaying import Segment
from verifier.replica.envelopes import Collected


def held(state: State, log: Collected, proof: ProofId) -> Held:
    """The question of a gradient's check."""
    current = state.round_of(state.proofs[proof])
    message = log.commitments[proof]
    return Held(
        config=current.config,
        theta=current.theta,
        theta_blobs=blobs_of(log, current.theta),
        gradient=to_hex(message.gradient),
        blob=message.gradientBlob.hex(),
        size=message.gradientSize,
        end=to_hex(message.endState),
    )


def segment(state: State, log: Collected, proof: ProofId, number: int) -> Segment | None:
    """The question of a replay; None where a boundary is not opened."""
    proof_state = state.proofs[proof]
    opened = log.openings.get(proof, {})
    message = log.commitments[proof]
    current = state.round_of(proof_state)
    start = opened.get(number)
    end = opened.get(number + 1)
    if start is None or end is None:
        return None
    return Segment(
        config=current.config,
        round=current.number,
        node=message.node,
        nodes=tuple(current.listed),
        profile=to_hex(message.profile),
        data_seed=to_hex(message.dataSeed),
        segment=number,
        start=to_hex(start.weights + start.inner),
        start_blob=start.blob.hex(),
        end=to_hex(end.weights + end.inner),
        end_blob=end.blob.hex(),
        theta=current.theta,
        theta_blobs=blobs_of(log, current.theta),
        common=number == proof_state.common,
        limits=state.runs[proof_state.commitment.run].created.limits,
    )


def basis(log: Collected, current: RoundState) -> Basis:
    """The question of a merge, of exactly the merge set in its order."""
    merge_set = current.merge_set
    assert merge_set is not None, "the machine awaits a merge of it"
    pairs = zip(merge_set.proofs, merge_set.gradients, strict=True)
    return Basis(
        config=current.config,
        theta=current.theta,
        theta_blobs=blobs_of(log, current.theta),
        momentum=current.momentum,
        momentum_blobs=blobs_of(log, current.momentum),
        place=place_of(current.run, current.number),
        gradients=tuple((digest, log.commitments[proof].gradientBlob.hex()) for proof, digest in pairs),
    )


def place_of(run: RunId, number: int) -> str:
    """The folder for the files of a round's merge."""
    return f"{run[2:18]}-{number}"


def subjects(state: State, log: Collected) -> set[str]:
    """Subjects of jobs that may still be asked: the proofs that the machine holds, their gradients, and its rounds."""
    gradients = {held(state, log, proof).question.name for proof in state.proofs if proof in log.commitments}
    return gradients | set(state.proofs) | {round_name(*key) for key in rounds(state)}


def rounds(state: State) -> list[tuple[RunId, int]]:
    """Run and number of the rounds that the machine holds."""
    return [(name, number) for name, run in state.runs.items() for number in run.rounds]


def round_name(run: RunId, number: int) -> str:
    """The name of a round as a subject of jobs, and of bounds."""
    return f"{run}/{number}"


def blobs_of(log: Collected, digest: str) -> tuple[str, ...]:
    """The files that merges name for an outer state."""
    return tuple(log.blobs.get(digest, ()))


def wanted(state: State, log: Collected, verifier: Address) -> list[str]:
    """The blobs that a verifier's duties need, and those that the next round begins from."""
    names = [name for duty in of_verifier(state, verifier) for name in _of_duty(state, log, duty)]
    for run in state.runs.values():
        if not run.over:
            names += [*blobs_of(log, run.theta), *blobs_of(log, run.momentum)]
    return list(dict.fromkeys(names))


def _of_duty(state: State, log: Collected, duty: VerifierDuty) -> Iterator[str]:
    if isinstance(duty, Hold):
        gradient = held(state, log, duty.proof)
        yield from (gradient.blob, *gradient.theta_blobs)
    elif isinstance(duty, Combine):
        merge = basis(log, state.runs[duty.run].rounds[duty.round])
        yield from (*(blob for _, blob in merge.gradients), *merge.theta_blobs, *merge.momentum_blobs)
    elif isinstance(duty, (Read, LookAgain)):
        for number in duty.segments if isinstance(duty, Read) else (duty.segment,):
            replay = segment(state, log, duty.proof, number)
            if replay is not None:
                yield from (replay.start_blob, replay.end_blob, *replay.theta_blobs)
