"""The log carried to a mirror that lacks entries, by a verifier that no mirror can pull from (C2SP's tlog-mirror).

An operator that shows the log's next entries to such a verifier alone would make time for it that no other sees. So
the entries under its own head go to all others: they go on along the same log, or show that they have another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TypeAlias

from contracts.mirrors.peer import ERROR_BYTES, Peer, Reply
from contracts.tlog.mirror import EntryPackage, MirrorInfo, UploadHeader, format_upload, origin_hash, parse_mirror_info
from contracts.tlog.subtree import subtree_proof
from contracts.tlog.witness import AddCheckpoint, parse_size
from verifier.mirror.store.copy import LogCopy, SignedHead

PACKAGES, UPLOADS = 8, 4
"""Packages of 256 entries in one upload, and uploads to one mirror in a look: the next look brings more."""
ACCEPTED = 202
CONFLICT = 409
Ticket: TypeAlias = Callable[[str], Mapping[str, str]]
"""Headers of an upload that begins now; entries of a log are named by the hash of its origin."""


async def carry(peer: Peer, copy: LogCopy, peer_size: int, ticket: Ticket) -> None:
    """Bring the entries of the own log that a mirror lacks; its head has `peer_size`. Each upload is under a ticket.

    Raises PeerUnreachable, PeerMisbehaved, InvalidMirrorMessage, InvalidTree, and NotHeld where this copy went back.
    """
    head = await asyncio.to_thread(copy.head)
    if head is None or head.checkpoint.size <= peer_size:
        return
    reply = await _add_checkpoint(peer, copy, head, peer_size)
    if reply.status == CONFLICT and (pending := parse_size(reply.body)) < head.checkpoint.size:
        await _add_checkpoint(peer, copy, head, pending)
    info = MirrorInfo(head.checkpoint.size, peer_size)
    for _ in range(UPLOADS):
        reply = await _add_entries(peer, copy, info, ticket)
        if reply.status not in (ACCEPTED, CONFLICT):
            return
        peer_info = parse_mirror_info(reply.body)
        info = MirrorInfo(min(peer_info.size, head.checkpoint.size), peer_info.next_entry)


async def _add_checkpoint(peer: Peer, copy: LogCopy, head: SignedHead, old: int) -> Reply:
    def request() -> bytes:
        proof = tuple(copy.stored.consistency_proof(old, head.checkpoint.size)) if old else ()
        return AddCheckpoint(old, proof, head.note).format()

    return await peer.post("/add-checkpoint", await asyncio.to_thread(request), ERROR_BYTES)


async def _add_entries(peer: Peer, copy: LogCopy, info: MirrorInfo, ticket: Ticket) -> Reply:
    """Upload entries from the mirror's next one on, under a head that the mirror knows."""

    def body() -> bytes:
        header = UploadHeader(copy.log.name, min(info.next_entry, info.size), info.size)
        packages = []
        for package in islice(header.packages(), PACKAGES):
            proof = subtree_proof(copy.stored, package.base, package.end, info.size)
            packages.append(EntryPackage(tuple(copy.entries(package.start, package.end)), tuple(proof)))
        return format_upload(header, packages)

    data = await asyncio.to_thread(body)
    headers = await asyncio.to_thread(ticket, origin_hash(copy.log.name))
    return await peer.post("/add-entries", data, ERROR_BYTES, headers)
