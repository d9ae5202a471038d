"""Openings as a verifier reads them: it checks again what the server says that it checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts import messages
from contracts.errors import CommonweightError, InvalidTree
from contracts.messages import StepProof, from_json
from contracts.positional_tree import KECCAK_TREE
from contracts.reasons import Reason
from contracts.run_config import RunConfig
from contracts.signing import Domain, require_signer
from contracts.state_layout import boundary_entry
from contracts.tensorfile import unpack
from trainer.client import octets
from trainer.state import layout
from verifier.errors import CheckFailed

State = dict[str, NDArray[np.generic]]


class Source(Protocol):
    """Where blobs come from, and for which chain and contract messages are signed: a server, or a saved bundle."""

    @property
    def domain(self) -> Domain: ...

    def blob(self, name: str) -> bytes: ...


def step_proof(client: Source, view: dict[str, Any]) -> StepProof:
    """The node's commitment, its signature checked. Raises BadSignature, BadField."""
    message = from_json(StepProof, view["message"])
    require_signer(message, client.domain, octets(view["signature"]), message.node)
    return message


def opened_state(
    client: Source, openings: Mapping[str, Any], commitment: StepProof, config: RunConfig, boundary: int, segment: int
) -> State:
    """The full state at a boundary, proven to be what the node committed to. Raises CheckFailed."""
    given = openings.get(str(boundary))
    if given is None:
        raise CheckFailed(Reason.OPENING_WITHHELD, segment, f"boundary {boundary} was not opened in time")
    try:
        signed = from_json(messages.Opening, given["message"])
        require_signer(signed, client.domain, octets(given["signature"]), commitment.node)
        state = unpack(client.blob(given["blob"]), layout(config))
        path = [octets(node) for node in given["path"]]
        KECCAK_TREE.check_inclusion(boundary_entry(state), boundary, commitment.boundaries, path, commitment.commitment)
    except CommonweightError as error:
        raise CheckFailed(Reason.OPENING_INVALID, segment, f"boundary {boundary}: {error.detail}") from error
    return state


def is_committed(openings: Mapping[str, Any], commitment: StepProof, boundary: int, entry: bytes) -> bool:
    """Whether an entry computed here stands at a boundary of the commitment; the opening only lends its path."""
    path = [octets(node) for node in openings.get(str(boundary), {}).get("path", ())]
    try:
        KECCAK_TREE.check_inclusion(entry, boundary, commitment.boundaries, path, commitment.commitment)
    except InvalidTree:
        return False
    return True
