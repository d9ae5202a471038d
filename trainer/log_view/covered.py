"""The log as this node acts on it: the machine at the end of the entries under the heads of k verifiers, no further.

Nothing is fetched beyond the size that k of them show: the operator can sign a head of any size. Covered entries are on
the disk: after a restart the node begins where it stood, and acts on nothing older. Where k verifiers show another log,
and no k this one, its end was lost (docs/adr/0049-stored-data-names-its-owner.md): the copy is begun anew.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull, replace_file
from contracts.ids import Address, as_address
from contracts.messages.signatures import Domain
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.state import State
from contracts.protocol.log.follower import Follower
from contracts.tlog.checkpoint import Checkpoint
from contracts.tlog.keys import VerifierKey
from contracts.tlog.tile_tree import Read
from trainer.log_view.admitted import Admitted
from trainer.log_view.bounds import STEP, Bounds, Clock
from trainer.log_view.gleaned import Gleaned
from trainer.log_view.heads import Contradiction, Heads, read_head, size_of_k
from trainer.log_view.rest import RestFile
from trainer.log_view.view import LogView, TwoLogs

FED = 256
"""Entries that the machine takes at once."""
SERVER = ""

Shown = tuple[str, bytes, Checkpoint]
"""A head that a source shows: the source's name (the server has none), the note, and the head in it."""

logger = logging.getLogger(__name__)


class CoveredLog:
    """Follows one log. `lock` is held while the machine moves; `warn` is called once for each fault.

    `on_entry` is called with each covered entry's text, after the machine took it. With it all entries are read again
    at a start; without it the machine goes on from the state in a file.
    """

    def __init__(
        self,
        folder: Path,
        log: VerifierKey,
        functions: Functions,
        domain: Domain,
        warn: Callable[[str, str], None],
        on_entry: Callable[[str], None] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._domain = domain
        self._warn = warn
        self._on_entry = on_entry
        self._clock = clock
        self._stand = folder / "covered"
        self.gleaned = Gleaned(domain)
        self.view = LogView(folder, log, lambda entry: self.gleaned.take(entry))
        self.follower = Follower(functions, domain, checked=False)
        self.lock = threading.RLock()
        self._heads = Heads()
        self._penalties: Counter[str] = Counter()
        self._late: dict[str, int] = {}
        """The look in which a source did not bring the entries of its head: the others are asked before it."""
        self._looks = 0
        self._came_from: set[str] = set()
        self._said: set[tuple[str, str]] = set()
        self._least, self._least_root = self._read_stand()
        self._rest = RestFile(folder / "machine.json", self.view.root)
        self._resume()

    @property
    def state(self) -> State:
        """The machine's state at the end of the covered prefix."""
        return self.follower.state

    @property
    def size(self) -> int:
        """Entries that are covered and taken."""
        return self.follower.size

    @property
    def current(self) -> bool:
        """Whether the node is where it stood before: it may not act on fewer entries."""
        return 0 < self.size >= self._least

    def head(self) -> tuple[int, bytes]:
        """Size and root of the covered prefix."""
        return self.size, self.view.root(self.size)

    def look(self, notes: Mapping[str, bytes], read: Callable[[str], Read], admitted: Callable[[], Admitted]) -> None:
        """Fetch the entries that server and mirrors show, and let the machine take those that are covered.

        Raises Differs where k verifiers signed entries that the machine does not derive, and DiskFull.
        """
        heads = list(self._shown(notes))
        sizes, conflicts = self._follow(heads, self._most(heads, admitted()), read)
        self._take_heads(heads, sizes)
        conflicts += self._heads.compare(self.view)
        for conflict in dict.fromkeys(conflicts):
            self._say("two-logs", conflict.shown_by, f"shows another log of the operator's, of {conflict.size} entries")
        judges = admitted()
        if self._retreats(heads, conflicts) or self._begins_anew(heads, conflicts, judges):
            return
        self._feed(max(self._heads.covered(judges.k, judges.verifiers), self._stood()))

    def close(self) -> None:
        """Write the machine's state, and close the files."""
        self._keep(now=True)
        self.view.close()

    # -- heads of others ----------------------------------------------------------------------------------------------

    def _shown(self, notes: Mapping[str, bytes]) -> Iterator[Shown]:
        """Heads under the operator's signature: sources that misled come last, before them late ones, the longest ago
        first; mirrors before the server, larger heads first."""
        heads: list[Shown] = []
        for name, note in notes.items():
            try:
                heads.append((name, note, self.view.verified(note)))
            except CommonweightError as error:
                self._say("bad-head", name, f"shows no head of this log: {error.detail}")
        yield from sorted(heads, key=self._turn)

    def _turn(self, shown_head: Shown) -> tuple[int, int, bool, int]:
        name, _, head = shown_head
        return self._penalties[name], self._late.get(name, 0), name == SERVER, -head.size

    def _most(self, heads: list[Shown], judges: Admitted) -> int:
        """The size that k verifiers show. A verifier whose key is in the log must have signed its head.

        A node that takes the verifier set from the log reads on, a look's share at a time, until the log names k.
        """
        if len(judges.verifiers) < max(1, judges.k) and judges == self._by_log():
            return self.view.size + STEP
        claims = {
            name: head.size
            for name, note, head in heads
            if self._key(name) is None or self._signed(as_address(name), note)
        }
        return size_of_k(claims, judges.k, judges.verifiers)

    def _by_log(self) -> Admitted:
        return Admitted(frozenset(self.gleaned.admitted), self.gleaned.k)

    def _follow(
        self, heads: list[Shown], most: int, read: Callable[[str], Read]
    ) -> tuple[dict[str, int], tuple[Contradiction, ...]]:
        """Come up to each head in turn, and to `most` entries at the furthest; returns by source how many entries of
        this copy lie under its head, and the heads of another log."""
        bounds = Bounds(self._clock)
        sizes = dict[str, int]()
        conflicts = []
        self._looks += 1
        for name, note, head in heads:
            if self._is_spared(name, min(most, head.size)):
                continue
            try:
                self._extend(name, note, min(most, head.size), bounds, read)
                sizes[name] = min(head.size, self.view.size)
            except TwoLogs:
                conflicts.append(Contradiction(name, head.size, head.root))
            except DiskFull:  # of this machine: no source is at fault, and the node says so
                raise
            except CommonweightError as error:
                self._late[name] = self._looks
                logger.info("%s did not show the log up to %s: %s", name or "the server", head.size, error.detail)
        return sizes, tuple(conflicts)

    def _is_spared(self, name: str, most: int) -> bool:
        """Whether a late source has nothing that is needed now."""
        is_known = name == SERVER or self._heads.agreed.get(name, 0) >= most
        return name in self._late and self.view.size >= most and is_known

    def _extend(self, name: str, note: bytes, most: int, bounds: Bounds, read: Callable[[str], Read]) -> None:
        """Raises TwoLogs, and the errors of the source."""
        before = self.view.size
        share = bounds.share(read(name))
        try:
            self.view.extend(note, share.read, share.goes_on, most)
        finally:
            if self.view.size > before:
                self._came_from.add(name)
        if self.view.size < most:
            self._late[name] = self._looks
        else:
            self._late.pop(name, None)

    def _take_heads(self, heads: list[Shown], sizes: Mapping[str, int]) -> None:
        """Count cosignatures, by the keys that their verifiers anchored in the log."""
        for name, note, head in heads:
            if self._key(name) is None or not self._signed(as_address(name), note):
                continue
            self._heads.take(as_address(name), head)
            if name in sizes:
                self._heads.follows(as_address(name), sizes[name])

    def _key(self, name: str) -> bytes | None:
        return self.gleaned.keys.get(name)

    def _signed(self, name: Address, note: bytes) -> bool:
        """Whether a verifier has signed the head that it shows, by the key that it anchored."""
        key = self._key(name)
        try:
            read_head(note, self.view.log, name, key or b"")
        except CommonweightError as error:
            self._say("bad-head", name, f"did not sign the head that it shows: {error.detail}")
            return False
        return True

    def _retreats(self, heads: list[Shown], conflicts: tuple[Contradiction, ...]) -> bool:
        """Drop all uncovered entries where more mirrors show another log than this one."""
        dissenters = {
            conflict.shown_by for conflict in conflicts if conflict.shown_by != SERVER and conflict.size > self.size
        }
        supporters = {name for name, _, head in heads if name not in (SERVER, *dissenters) and head.size > self.size}
        if len(dissenters) <= len(supporters) or self.view.size <= self.size:
            return False
        self._penalties.update(self._came_from)
        self._came_from.clear()
        self.gleaned = Gleaned(self._domain)
        self.view.retreat(self.size)
        self._heads.retreat(self.size)
        return True

    def _begins_anew(self, heads: list[Shown], conflicts: tuple[Contradiction, ...], judges: Admitted) -> bool:
        """Begin anew where k verifiers signed heads of another log, and fewer than k go on with this one."""
        if not 0 < self.size == self.view.size:
            return False
        dissenters = {conflict.shown_by for conflict in conflicts}
        signed = {name: head.size for name, note, head in heads if self._is_signed(as_address(name), note, judges)}
        theirs = [size for name, size in signed.items() if name in dissenters]
        ours = [size for name, size in signed.items() if name not in dissenters and size >= self.size]
        if judges.k < 1 or len(theirs) < judges.k or len(ours) >= judges.k:
            return False
        detail = f"of {self.size} entries is begun anew: {len(theirs)} verifiers show another log"
        self._say("log-left", "the copy", detail)
        self._begin_anew(sorted(theirs, reverse=True)[judges.k - 1])
        return True

    def _is_signed(self, name: Address, note: bytes, judges: Admitted) -> bool:
        return name in judges.verifiers and self._key(name) is not None and self._signed(name, note)

    def _begin_anew(self, least: int) -> None:
        """Begin as with an empty folder; the node acts on no fewer entries than k verifiers show."""
        self._stand.unlink(missing_ok=True)
        self.gleaned, self._heads = Gleaned(self._domain), Heads()
        self.view.retreat(0)
        with self.lock:
            self.follower = Follower(self.follower.functions, self._domain, checked=False)
        self._rest = RestFile(self._rest.path, self.view.root)
        self._late.clear()
        self._came_from.clear()
        self._least = least
        self._least_root = ""

    # -- covered entries ----------------------------------------------------------------------------------------------

    def _stood(self) -> int:
        """The size at which the node stood before a restart, if the copy is still the log that it acted on."""
        if not (self._least_root and 0 < self._least <= self.view.size):
            return 0
        if self.view.root(self._least).hex() == self._least_root:
            return self._least
        self._say("two-logs", "the copy", f"is of another log than the one that the node acted on, at {self._least}")
        return 0

    def _feed(self, size: int) -> None:
        """Raises Differs."""
        while self.size < size:
            entries = self.view.entries(self.size, min(size, self.size + FED))
            with self.lock:
                for entry in entries:
                    text = entry.decode(errors="replace")
                    self.follower.take(text)
                    if self._on_entry is not None:
                        self._on_entry(text)
        if self.size == self.view.size:
            self._came_from.clear()
        if self.size > self._least or (self.size == self._least and not self._least_root):
            stand = self.size, self.view.root(self.size).hex()
            replace_file(self._stand, json.dumps(stand).encode())
            self._least, self._least_root = stand
        self._keep()

    def _resume(self) -> None:
        """Go on from the machine's stored state, if it is covered, and of this log."""
        rest = self._rest.read(self.follower.functions, self._stood()) if self._on_entry is None else None
        if rest is not None:
            self.follower.state = rest.state

    def _keep(self, now: bool = False) -> None:
        if not self.follower.due and self.size <= self.view.size:
            self._rest.write(self.state, lambda: None, now)

    def _read_stand(self) -> tuple[int, str]:
        try:
            size, root = json.loads(self._stand.read_bytes())
            return (size, root) if type(size) is int and isinstance(root, str) else (0, "")
        except (OSError, ValueError, TypeError):
            return 0, ""

    def _say(self, code: str, source: str, detail: str) -> None:
        """Warn, once of each."""
        if (code, source) not in self._said:
            self._said.add((code, source))
            logger.error("%s: %s %s", code, source or "the server", detail)
            self._warn(code, f"{source or 'the server'} {detail}")
