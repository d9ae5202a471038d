"""Openings as a verifier reads them: it checks again what the server says that it checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts import messages
from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.keccak import keccak256
from contracts.messages import StepProof, from_json
from contracts.positional_tree import KECCAK_TREE
from contracts.reasons import Reason
from contracts.run_config import RunConfig
from contracts.signing import Domain, digest, require_signer
from contracts.state_layout import boundary_entry
from contracts.tensorfile import unpack
from trainer.client import octets
from trainer.state import layout
from verifier.errors import CannotJudge, CheckFailed

State = dict[str, NDArray[np.generic]]
T = TypeVar("T")


class Source(Protocol):
    """Where blobs come from, and for which chain and contract messages are signed: a server, or a saved bundle."""

    @property
    def domain(self) -> Domain: ...

    def blob(self, name: str) -> bytes: ...


def step_proof(client: Source, view: dict[str, Any]) -> StepProof:
    """The node's commitment, its signature checked. Raises BadSignature, BadField, and CannotJudge for another's."""
    message = from_json(StepProof, view["message"])
    require_signer(message, client.domain, octets(view["signature"]), message.node)
    if digest(message, client.domain) != octets(view["proof"]):
        raise CannotJudge("another commitment is shown than this proof's")
    return message


def opened_state(
    client: Source, openings: Mapping[str, Any], commitment: StepProof, config: RunConfig, boundary: int, segment: int
) -> State:
    """The full state at a boundary, proven to be what the node committed to.

    Raises CheckFailed for what the node signed or never did, and for that alone. A signature, bytes or a path that are
    not the node's may have been lost or spoilt on their way: CannotJudge.
    """
    given = openings.get(str(boundary))
    if given is None:
        raise CheckFailed(Reason.OPENING_WITHHELD, segment, f"boundary {boundary} was not opened in time")
    opened = _opening(client, given, commitment, boundary)
    data = judged(f"boundary {boundary}", lambda: client.blob(opened.blob.hex()))
    try:
        state = unpack(data, layout(config))
    except InvalidTensorFile as error:
        raise CheckFailed(Reason.OPENING_INVALID, segment, f"boundary {boundary}: {error.detail}") from error
    entry = boundary_entry(state)
    if keccak256(entry) != opened.stateDigest:
        raise CheckFailed(Reason.OPENING_INVALID, segment, f"boundary {boundary}: not the state that was signed")
    judged(f"boundary {boundary}", lambda: _check_committed(openings, commitment, boundary, entry))
    return state


def is_committed(openings: Mapping[str, Any], commitment: StepProof, boundary: int, entry: bytes) -> bool:
    """Whether an entry computed here stands at a boundary of the commitment; the opening only lends its path."""
    try:
        _check_committed(openings, commitment, boundary, entry)
    except CommonweightError:
        return False
    return True


def judged(what: str, ask: Callable[[], T]) -> T:
    """What a server gives; whatever is wrong with it says nothing about a node. Raises CannotJudge."""
    try:
        return ask()
    except CommonweightError as error:
        raise CannotJudge(f"{what}: {error.detail}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise CannotJudge(f"{what}: an answer that makes no sense ({error!r})") from error


def _opening(client: Source, given: Mapping[str, Any], commitment: StepProof, boundary: int) -> messages.Opening:
    def read() -> messages.Opening:
        signed = from_json(messages.Opening, given["message"])
        require_signer(signed, client.domain, octets(given["signature"]), commitment.node)
        return signed

    opened = judged(f"opening of boundary {boundary}", read)
    if (opened.proof, opened.boundary) != (digest(commitment, client.domain), boundary):
        raise CannotJudge(f"the opening of another proof or boundary is shown for boundary {boundary}")
    return opened


def _check_committed(openings: Mapping[str, Any], commitment: StepProof, boundary: int, entry: bytes) -> None:
    path = [octets(node) for node in openings.get(str(boundary), {}).get("path", ())]
    KECCAK_TREE.check_inclusion(entry, boundary, commitment.boundaries, path, commitment.commitment)
