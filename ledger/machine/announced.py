"""The blobs that the server takes: those that a message in the log names, with the size that it names (J21).

A merge names its blobs without their sizes. Weights, momentum and gradients have one layout, so that their files are as
large as the gradients that are merged, of which k verifiers hold the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from sqlmodel import Session, col, delete, or_, select

from contracts.ids import Address, ProofId, RunId, to_hex
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import Commitment, Merge, StateOpening
from contracts.protocol.architecture import parameter_count, weight_shapes
from contracts.protocol.judge.state import State
from contracts.protocol.run_config import RunConfig
from ledger.errors import LedgerError
from ledger.storage.tables import AnnouncedRow

OUTER = ("weights", "momentum")
"""Kinds of blobs with which the next round begins: announced as long as their round is the last merged one."""
HEADER = 400
"""Bytes at most that a tensor takes in the head of its file."""
Announced: TypeAlias = tuple[bytes, str, int]
"""A blob's digest, its kind, and its size in bytes."""


class NotAnnounced(LedgerError):
    """No message in the log names these bytes."""

    code = "not-announced"
    status = 403


def announce(session: Session, state: State, message: Message, name: str) -> None:
    """Note the blobs of a message that was entered under its digest `name`; most name none."""
    session.add_all(rows(state, message, name))


def rows(state: State, message: Message, name: str) -> Iterator[AnnouncedRow]:
    """The rows of a message; `state` is the machine after the message and all that follows.

    A blob that is larger than any state of the run has no row, since no server needs to take it.
    """
    if not isinstance(message, (Commitment, StateOpening, Merge)):
        return
    run, number, author = _round_of(state, message)
    config = RunConfig.from_json(state.runs[run].rounds[number].config)
    for digest, kind, size in _named(state, message):
        if size <= largest(config, kind):
            yield AnnouncedRow(
                digest=digest.hex(), kind=kind, size=size, message=name, run=run, round=number, author=author
            )


def sizes(session: Session, digest: str) -> frozenset[int]:
    """The sizes in bytes under which messages name a blob (64 hex digits). Raises NotAnnounced."""
    named = frozenset(session.exec(select(AnnouncedRow.size).where(AnnouncedRow.digest == digest)))
    if not named:
        raise NotAnnounced(f"no message in the log names blob {digest[:64]}")
    return named


def require_announced(session: Session, digest: str, size: int) -> None:
    """Raises NotAnnounced unless a message names a blob (64 hex digits) of this many bytes."""
    if size not in sizes(session, digest):
        raise NotAnnounced(f"blob {digest[:64]} is announced, and not with {size} bytes")


def forget(session: Session, state: State, run: RunId, last: int) -> None:
    """Drop the blobs of rounds up to `last`, whose epoch is final, but for rounds with a proof that has no end yet."""
    open_rounds = [number for number, current in state.runs[run].rounds.items() if number > last or current.proofs]
    number = col(AnnouncedRow.round)
    older = or_(col(AnnouncedRow.kind).not_in(OUTER), number != state.runs[run].merged)
    session.exec(delete(AnnouncedRow).where(col(AnnouncedRow.run) == run, number.not_in(open_rounds), older))


def largest(config: RunConfig, kind: str) -> int:
    """Bytes that a file of this run cannot exceed: those that it names for a model of its own, else float32 weights,
    and for a state two moments beside them."""
    if config.architecture == "own":
        return config.state_size if kind == "state" else config.weights_size
    copies = 3 if kind == "state" else 1
    return copies * (4 * parameter_count(config) + HEADER * len(weight_shapes(config))) + HEADER


def _round_of(state: State, message: Commitment | StateOpening | Merge) -> tuple[RunId, int, Address]:
    """Run, round and author."""
    if isinstance(message, StateOpening):
        commitment = state.proofs[ProofId(to_hex(message.proof))].commitment
        return commitment.run, commitment.round, commitment.node
    author = message.node if isinstance(message, Commitment) else message.verifier
    return RunId(to_hex(message.run)), message.round, author


def _named(state: State, message: Commitment | StateOpening | Merge) -> Iterator[Announced]:
    if isinstance(message, Commitment):
        yield message.gradientBlob, "gradient", message.gradientSize
    elif isinstance(message, StateOpening):
        yield message.blob, "state", message.size
    else:
        for size in _merged(state, message):
            yield message.thetaBlob, "weights", size
            yield message.momentumBlob, "momentum", size


def _merged(state: State, message: Merge) -> frozenset[int]:
    """Sizes of the gradients that a round merges (one, since k verifiers looked), as far as their proofs are held."""
    merge_set = state.runs[RunId(to_hex(message.run))].rounds[message.round].merge_set
    names = merge_set.proofs if merge_set is not None else ()
    return frozenset(state.proofs[name].commitment.size for name in names if name in state.proofs)
