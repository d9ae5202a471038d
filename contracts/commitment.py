"""A node's commitment: a tree over the states at the boundaries of its segments, of which the proof names both ends."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.messages import StepProof
from contracts.positional_tree import KECCAK_TREE


def check_ends(proof: StepProof, first_path: Sequence[bytes], last_path: Sequence[bytes]) -> None:
    """The commitment begins with the start and ends with the end that the proof names. Raises InvalidTree.

    Else every segment might replay, of a trajectory that began anywhere.
    """
    start, end, count = proof.startState + proof.innerState, proof.endState + proof.innerEnd, proof.boundaries
    KECCAK_TREE.check_inclusion(start, 0, count, first_path, proof.commitment)
    KECCAK_TREE.check_inclusion(end, count - 1, count, last_path, proof.commitment)
