"""A plan of a head's entries for a copy in one state: made with the network out of proven tiles, applied without it.

A copy changes while the network is waited for, as several mirrors are followed at once: a plan is applied to the state
that it was made for, and made anew for another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from contracts.errors import InvalidTree
from contracts.tlog.bundles import parse_bundle
from contracts.tlog.mirror import EntryPackage, Package, UploadHeader
from contracts.tlog.subtree import subtree_proof
from contracts.tlog.tile_tree import TileReader
from contracts.tlog.tiles import WIDTH, Tile, tile_of
from verifier.mirror.errors import CopyChanged, HeadContradicts
from verifier.mirror.store.copy import CopyState, LogCopy, SignedHead
from verifier.mirror.store.evidence import Evidence

BUNDLES = 32
"""Entry bundles that are fetched of one mirror in a look, of 256 entries each."""
MAX_FETCHED = 2**26
"""Bytes of entries of one mirror in a look."""
AT_ONCE = 2**20
"""Bytes of entries after which the machine looks at them: an entry that it refuses ends the look at this head."""

Fetch = Callable[[Tile], bytes]


@dataclass(frozen=True)
class Shown:
    """A head that a mirror shows, the other verifiers that signed it (`signers`), and the hashes of its log."""

    head: SignedHead
    signers: frozenset[str]
    reader: TileReader
    fetch: Fetch

    def root(self, size: int) -> bytes:
        """Root of the head's log. Raises InvalidTree and InvalidTile."""
        return self.reader.tree().root(size)


@dataclass
class Allowance:
    """Bundles and bytes that may still be fetched of one mirror in this look."""

    bundles: int = BUNDLES
    bytes: int = MAX_FETCHED

    @property
    def spent(self) -> bool:
        """Whether the look at the mirror is over."""
        return self.bundles <= 0 or self.bytes <= 0


@dataclass(frozen=True)
class FetchPlan:
    """Without packages: all entries up to the head are here, or none of them may be fetched any more."""

    state: CopyState
    contradicted: tuple[int, ...] = ()
    """Sizes of remembered heads that are of another log."""
    evidence: tuple[Evidence, ...] = ()
    contradicts: bool = False
    """Whether the head's log is another one than the log that this copy has signed."""
    leaves: int | None = None
    """Entries that stay where this copy goes over to the head's branch."""
    retreats: bool = False
    packages: tuple[tuple[Package, EntryPackage], ...] = field(default=())


def plan(shown: Shown, copy: LogCopy, allowed: Allowance) -> FetchPlan:
    """Raises CopyChanged where the plan is to be made anew, EntryRefused where the head's log departs as another one
    did, HeadContradicts for a branch that was left, the errors of the owner's machine over this copy, and those of
    `fetch` and the tiles."""
    head = shown.head.checkpoint
    state = copy.state()
    copy.evidence.departures.check(head, shown.root)
    if copy.branches.is_left(head.size, shown.root):
        raise HeadContradicts("the head is of the branch of the operator's log that was left")
    differing = [remembered for remembered in state.known if _differs(remembered, shown)]
    contradicted = tuple(remembered.checkpoint.size for remembered in differing)
    evidence = tuple(_evidence(shown, remembered) for remembered in differing)
    signed = min(state.signed, head.size)
    own = min(state.size, head.size)
    if shown.root(signed) != _own_root(copy, signed):
        return FetchPlan(state, contradicted, evidence, contradicts=True, leaves=_leaves(shown, copy, signed))
    retreats = shown.root(own) != _own_root(copy, own)
    if not retreats and own < head.size:
        copy.advance()
    packages = _packages(shown, state.signed if retreats else own, copy.log.name, allowed)
    return FetchPlan(state, contradicted, evidence, retreats=retreats, packages=packages)


def apply(fetch_plan: FetchPlan, shown: Shown, copy: LogCopy) -> bool:
    """Make the head a pending one if it continues the signed part of this copy, and keep its entries; False where the
    plan is to be made anew: the copy has changed, or gone over to the head's branch. Raises HeadContradicts.

    Heads that were pending and are of another log are given up, with the entries under them: no head over these entries
    was signed, and both heads convict the operator.
    """
    head = shown.head.checkpoint
    with copy.turn(shrinks=fetch_plan.retreats or fetch_plan.leaves is not None):
        if copy.state() != fetch_plan.state:
            return False
        for evidence in fetch_plan.evidence:
            copy.evidence.add(evidence)
        if fetch_plan.leaves is not None:
            copy.leave(fetch_plan.leaves)
            return False
        if fetch_plan.contradicts:
            raise HeadContradicts(f"the operator signed two logs: at {fetch_plan.state.signed} entries they differ")
        if fetch_plan.retreats:
            copy.retreat()
        copy.add_pending(shown.head, fetch_plan.contradicted)
        for package, content in fetch_plan.packages:
            content.check(package, copy.leaves(package.base, package.start), head.size, head.root)
            copy.keep(package.start, content.entries)
        return True


def _own_root(copy: LogCopy, size: int) -> bytes:
    """Root of this copy. Raises CopyChanged where the copy has gone back since its state was read."""
    try:
        return copy.root(size)
    except InvalidTree as error:
        raise CopyChanged(f"this copy has fewer than {size} entries by now") from error


def _differs(remembered: SignedHead, shown: Shown) -> bool:
    size = remembered.checkpoint.size
    return 0 < size <= shown.head.checkpoint.size and shown.root(size) != remembered.checkpoint.root


def _evidence(shown: Shown, remembered: SignedHead) -> Evidence:
    first = remembered.checkpoint.size
    second = shown.head.checkpoint.size
    proof = shown.reader.tree().consistency_proof(first, second) if first < second else []
    return Evidence(remembered.note.format(), shown.head.note.format(), shown.root(first), tuple(proof))


def _leaves(shown: Shown, copy: LogCopy, differ: int) -> int | None:
    """Entries that both logs share, if k others stand on the head's; at `differ` entries the logs differ."""
    k = copy.judges().k
    on_it = copy.branches.elsewhere(shown.signers, shown.head.checkpoint, shown.root)
    if not 0 < k <= len(on_it):
        return None
    shared = 0
    while differ - shared > 1:
        middle = (shared + differ) // 2
        if shown.root(middle) == _own_root(copy, middle):
            shared = middle
        else:
            differ = middle
    return shared


def _packages(shown: Shown, start: int, origin: str, allowed: Allowance) -> tuple[tuple[Package, EntryPackage], ...]:
    """The next packages from a start on, as an upload would bring them, of some AT_ONCE bytes."""
    packages: list[tuple[Package, EntryPackage]] = []
    reader = shown.reader
    fetched = 0
    for package in islice(UploadHeader(origin, start, reader.size).packages(), max(0, allowed.bundles)):
        if allowed.spent or fetched >= AT_ONCE:
            break
        bundle = tile_of(0, package.base // WIDTH, reader.size, entries=True)
        data = shown.fetch(bundle)
        entries = parse_bundle(data, bundle.width)[package.start - package.base : package.end - package.base]
        proof = subtree_proof(reader.tree(), package.base, package.end, reader.size)
        packages.append((package, EntryPackage(tuple(entries), tuple(proof))))
        fetched += len(data)
        allowed.bundles, allowed.bytes = allowed.bundles - 1, allowed.bytes - len(data)
    return tuple(packages)
