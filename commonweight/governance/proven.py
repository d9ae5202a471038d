"""A proposal as its id proves it: the calls and the text that were hashed into it. All else is somebody's word.

A server that shows other calls under an id would have its reader sign for calls that he never saw (a ballot names the
id alone). So nothing is shown and nothing is signed before the id was computed from the shown calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from eth_utils.address import is_address
from eth_utils.crypto import keccak
from web3 import Web3

from commonweight.terminal.console import one_line
from contracts.bindings.governor import Action, ModelGovernor, proposal_id_of
from contracts.calls.words import MOST_WORDS, calls_in_words
from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import from_hex, to_hex
from contracts.wire.fields import AnswerMisfit
from trainer.client import ApiClient

DIGEST = 32
"""Bytes of a text's hash."""
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


class ProposalDiffers(CommonweightError):
    """The calls that are shown under a proposal's id are not those that the id names."""

    code = "proposal-differs"


@contextmanager
def well_formed(what: str) -> Iterator[None]:
    """Around the reading of other documents of a server. Raises ProposalDiffers for one that cannot be read."""
    try:
        yield
    except (AnswerMisfit, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ProposalDiffers(f"the server's {what} cannot be read ({error!r:.100})") from None


@dataclass(frozen=True)
class Proven:
    """A proposal whose calls are those that its id names.

    `text` is the description if it is the one that the id names, else None; `digest` is its 32-byte hash. `said` is the
    whole document: all else in it is the server's word. `of_chain`: the server does not have it, the Governor does.
    """

    id: str
    actions: tuple[Action, ...]
    digest: bytes
    text: str | None
    said: Mapping[str, Any]
    of_chain: bool = False


def asked(client: ApiClient, proposal: str) -> Proven:
    """The proposal that a server shows under an id. Raises ApiProblem and ProposalDiffers."""
    return proven(client.get(f"/proposals/{proposal}"), proposal)


def of_chain(governor: ModelGovernor, proposal: str, first_block: int) -> Proven:
    """The proposal of an id as the Governor logged it since a block. Raises BadField and ProposalDiffers."""
    actions, text = governor.made_of(int(proposal), first_block)
    calls = [{"target": action.target, "value": action.value, "data": to_hex(action.data)} for action in actions]
    description = text.decode("utf-8", "backslashreplace")
    document = {"calls": calls, "description_hash": to_hex(keccak(text)), "description": description}
    return replace(proven(document, proposal), of_chain=True)


def proven(document: Any, proposal: str) -> Proven:
    """The proposal of this id in a document. Raises ProposalDiffers."""
    try:
        actions = tuple(_action(call) for call in document["calls"])
        digest = from_hex(document["description_hash"])
        text = str(document["description"])
        id_ = proposal_id_of(actions, digest) if len(digest) == DIGEST else None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ProposalDiffers(f"the server shows no calls that lead to the id {proposal} ({error!r:.100})") from None
    if id_ != int(proposal):
        raise ProposalDiffers(
            f"the server shows the calls of another proposal ({id_}) under {proposal}: sign nothing; ask another "
            "server, or read the ProposalCreated of this id from the Governor itself"
        )
    return Proven(proposal, actions, digest, text if _is_text_of(text, digest) else None, document)


def words_of(proposal: Proven, deployment: Deployment) -> Iterator[str]:
    """The calls that the timelock would make, each in a line. Contracts have the names that the deployment gives."""
    for words in calls_in_words(Web3(), deployment, proposal.actions):
        yield one_line(words, 2 * MOST_WORDS)


def _is_text_of(text: str, digest: bytes) -> bool:
    """Bytes that are no text, and such as no database takes, are escaped as they are read from the chain."""
    if any(0xD800 <= ord(character) < 0xE000 for character in text):
        return False
    raw = text.encode()
    return digest in (keccak(raw), keccak(_ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), raw)))


def _action(call: Mapping[str, Any]) -> Action:
    """Raises ValueError, KeyError and TypeError."""
    if not is_address(call["target"]):
        raise ValueError(f"{call['target']!r:.60} is no address")
    value = int(call["value"])
    if not 0 <= value < 2**256:
        raise ValueError("a value is no uint256")
    return Action(Web3.to_checksum_address(call["target"]), from_hex(call["data"]), value)
