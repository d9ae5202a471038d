"""Questions to a host that may lie, by verifiers and by renters: bounded in bytes and time, and never followed on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.hosts.signed import Model, Signed, read_signed, require_offer
from contracts.messages.for_market import HostOffer
from contracts.mirrors.peer import Peer, PeerMisbehaved, PeerUnreachable, Reply
from contracts.mirrors.urls import InvalidMirrorAddress
from verifier.hosts.errors import HostAway, HostFailed, HostSaysNo

SHOWN_BYTES = 2**18
"""The longest answer to `GET /market/host`, and of any call but those for bytes."""


@dataclass(frozen=True)
class Shown:
    """What a host shows of itself, its offer checked, its reports not."""

    offer: Signed[HostOffer]
    reports: tuple[object, ...]
    profiles: Mapping[str, str]


async def shown(peer: Peer, model: Model, now: int, loopback: bool) -> Shown:
    """A host's offer, which its own supplier signed for the very address that was asked.

    Raises HostAway, HostFailed, and what the offer is refused for.
    """
    body = await answered(peer.get("/market/host", SHOWN_BYTES))
    reports, profiles = body.get("reports"), body.get("profiles")
    if not isinstance(reports, list) or not isinstance(profiles, dict):
        raise HostFailed("it shows no reports, or no profiles")
    offer = read_signed(HostOffer, body.get("offer"))
    if require_offer(offer, model, now, loopback).url != peer.url:
        raise HostFailed(f"it answers for {offer.message.url}, and not for {peer.url}")
    return Shown(offer, tuple(reports[:64]), {str(name): str(value) for name, value in profiles.items()})


async def answered(call: Awaitable[Reply]) -> Mapping[str, Any]:
    """An answer that is a JSON object. Raises HostAway and HostFailed."""
    reply = await replied(call)
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        raise HostFailed("it answers no JSON") from error
    if not isinstance(found, dict):
        raise HostFailed("it answers no object")
    return found


async def replied(call: Awaitable[Reply]) -> Reply:
    """An answer that is no refusal. Raises HostAway, HostSaysNo and HostFailed."""
    try:
        reply = await call
    except (PeerUnreachable, InvalidMirrorAddress) as error:
        raise HostAway(f"the host {error.detail}") from error
    except PeerMisbehaved as error:
        raise HostFailed(f"the host {error.detail}") from error
    if reply.status >= 300:
        code, words = _refusal(reply.body)
        raise HostSaysNo(f"the host refuses ({reply.status}): {words}", code)
    return reply


def _refusal(body: bytes) -> tuple[str, str]:
    """The code of a problem document, and its words as one printable line."""
    try:
        problem = json.loads(body)
        code, text = str(problem["code"]), f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        code, text = "", "in words of its own"
    return code, "".join(letter if letter.isprintable() else " " for letter in text)[:200]
