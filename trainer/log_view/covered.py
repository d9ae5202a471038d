"""The log as this node acts on it: the machine at the end of what lies under the heads of k verifiers, and no further.

Nothing is fetched beyond the size that k of them show: the operator can sign a head of any size. What was covered once
is on the disk: after a restart the node begins where it stood, and acts on nothing older. Where k verifiers show
another log, and no k this one, its end was lost (docs/adr/0049-stored-data-names-its-owner.md): the copy is begun anew.
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
from contracts.files.whole_file import replace_file
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
"""Who shows a head (the server under no name), its note, and what it says."""

logger = logging.getLogger(__name__)


class CoveredLog:
    """Follows one log. `lock` is held while the machine moves; `warn` is called once for each thing that is wrong.

    `on_entry` is called with each covered entry's text, after the machine took it; who asks for that reads all of them
    again at a start, all others go on from a file that says where the machine stood.
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
        """In which look a source did not bring what it shows: the others are asked before it."""
        self._looks = 0
        self._came_from: set[str] = set()
        self._said: set[tuple[str, str]] = set()
        self._least, self._least_root = self._read_stand()
        self._rest = RestFile(folder / "machine.json", self.view.root)
        self._resume()

    @property
    def state(self) -> State:
        """Of the machine at the end of the covered prefix."""
        return self.follower.state

    @property
    def size(self) -> int:
        """Entries that are covered and taken."""
        return self.follower.size

    @property
    def current(self) -> bool:
        """Whether the node is where it stood already: nothing may be done on less."""
        return 0 < self.size >= self._least

    def head(self) -> tuple[int, bytes]:
        """Size and root of the covered prefix."""
        return self.size, self.view.root(self.size)

    def look(self, notes: Mapping[str, bytes], read: Callable[[str], Read], admitted: Callable[[], Admitted]) -> None:
        """Take over what server and mirrors show, and let the machine take what is covered by then.

        Raises Differs where k verifiers signed what the machine does not derive.
        """
        shown = list(self._shown(notes))
        follows, against = self._follow(shown, self._most(shown, admitted()), read)
        self._take_heads(shown, follows)
        against += self._heads.compare(self.view)
        for found in dict.fromkeys(against):
            self._say("two-logs", found.shown_by, f"shows another log of the operator's, of {found.size} entries")
        judges = admitted()
        if self._retreats(shown, against) or self._begins_anew(shown, against, judges):
            return
        self._feed(max(self._heads.covered(judges.k, judges.verifiers), self._stood()))

    def close(self) -> None:
        """Keep where the machine stands, and let the files go."""
        self._keep(now=True)
        self.view.close()

    # -- what others show ---------------------------------------------------------------------------------------------

    def _shown(self, notes: Mapping[str, bytes]) -> Iterator[Shown]:
        """Heads under the operator's signature: who misled before comes last, then who was late, the longest ago first;
        mirrors before the server, larger heads first."""
        found: list[Shown] = []
        for name, note in notes.items():
            try:
                found.append((name, note, self.view.verified(note)))
            except CommonweightError as error:
                self._say("bad-head", name, f"shows no head of this log: {error.detail}")
        yield from sorted(found, key=self._turn)

    def _turn(self, shown: Shown) -> tuple[int, int, bool, int]:
        name, _, head = shown
        return self._penalties[name], self._late.get(name, 0), name == SERVER, -head.size

    def _most(self, shown: list[Shown], judges: Admitted) -> int:
        """How many entries are worth having: what k verifiers show. Whose key stands in the log has to have signed.

        Who believes the log of who they are reads on, a look's share at a time, until it names k.
        """
        if len(judges.verifiers) < max(1, judges.k) and judges == self._by_log():
            return self.view.size + STEP
        claims = {
            name: head.size
            for name, note, head in shown
            if self._key(name) is None or self._signed(as_address(name), note)
        }
        return size_of_k(claims, judges.k, judges.verifiers)

    def _by_log(self) -> Admitted:
        return Admitted(frozenset(self.gleaned.admitted), self.gleaned.k)

    def _follow(
        self, shown: list[Shown], most: int, read: Callable[[str], Read]
    ) -> tuple[dict[str, int], tuple[Contradiction, ...]]:
        """Come up to each head in turn, and to `most` entries at the furthest; returns how many of those that are here
        lie under each one's head, and heads that are of another log."""
        bounds = Bounds(self._clock)
        follows = dict[str, int]()
        against = []
        self._looks += 1
        for name, note, head in shown:
            if self._is_spared(name, min(most, head.size)):
                continue
            try:
                self._extend(name, note, min(most, head.size), bounds, read)
                follows[name] = min(head.size, self.view.size)
            except TwoLogs:
                against.append(Contradiction(name, head.size, head.root))
            except CommonweightError as error:
                self._late[name] = self._looks
                logger.info("%s did not show the log up to %s: %s", name or "the server", head.size, error.detail)
        return follows, tuple(against)

    def _is_spared(self, name: str, most: int) -> bool:
        """Whether who was late has nothing that is needed now."""
        is_known = name == SERVER or self._heads.agreed.get(name, 0) >= most
        return name in self._late and self.view.size >= most and is_known

    def _extend(self, name: str, note: bytes, most: int, bounds: Bounds, read: Callable[[str], Read]) -> None:
        """Raises TwoLogs, and what the source raises."""
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

    def _take_heads(self, shown: list[Shown], follows: Mapping[str, int]) -> None:
        """Cosignatures, by the keys that their verifiers bound to themselves in the log."""
        for name, note, head in shown:
            if self._key(name) is None or not self._signed(as_address(name), note):
                continue
            self._heads.take(as_address(name), head)
            if name in follows:
                self._heads.follows(as_address(name), follows[name])

    def _key(self, name: str) -> bytes | None:
        return self.gleaned.keys.get(name)

    def _signed(self, name: Address, note: bytes) -> bool:
        """Whether a verifier has signed the head that it shows, by the key that it bound to itself."""
        key = self._key(name)
        try:
            read_head(note, self.view.log, name, key or b"")
        except CommonweightError as error:
            self._say("bad-head", name, f"did not sign the head that it shows: {error.detail}")
            return False
        return True

    def _retreats(self, shown: list[Shown], against: tuple[Contradiction, ...]) -> bool:
        """Where more mirrors show another log than this one, all that is not covered is given up."""
        others = {found.shown_by for found in against if found.shown_by != SERVER and found.size > self.size}
        with_us = {name for name, _, head in shown if name not in (SERVER, *others) and head.size > self.size}
        if len(others) <= len(with_us) or self.view.size <= self.size:
            return False
        self._penalties.update(self._came_from)
        self._came_from.clear()
        self.gleaned = Gleaned(self._domain)
        self.view.retreat(self.size)
        self._heads.retreat(self.size)
        return True

    def _begins_anew(self, shown: list[Shown], against: tuple[Contradiction, ...], judges: Admitted) -> bool:
        """Where k verifiers signed heads of another log than what was acted on, and fewer than k go on with it."""
        if not 0 < self.size == self.view.size:
            return False
        others = {found.shown_by for found in against}
        signed = {name: head.size for name, note, head in shown if self._is_signed(as_address(name), note, judges)}
        theirs = [size for name, size in signed.items() if name in others]
        ours = [size for name, size in signed.items() if name not in others and size >= self.size]
        if judges.k < 1 or len(theirs) < judges.k or len(ours) >= judges.k:
            return False
        detail = f"of {self.size} entries is begun anew: {len(theirs)} verifiers show another log"
        self._say("log-left", "the copy", detail)
        self._begin_anew(sorted(theirs, reverse=True)[judges.k - 1])
        return True

    def _is_signed(self, name: Address, note: bytes, judges: Admitted) -> bool:
        return name in judges.verifiers and self._key(name) is not None and self._signed(name, note)

    def _begin_anew(self, least: int) -> None:
        """As with an empty folder, and nothing is done on fewer entries than k verifiers show."""
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

    # -- what is covered ----------------------------------------------------------------------------------------------

    def _stood(self) -> int:
        """Where the node stood before a restart, if the copy still is what it acted on."""
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
        """Go on from where the machine stood, if that is covered, and of the log that is here."""
        found = self._rest.read(self.follower.functions, self._stood()) if self._on_entry is None else None
        if found is not None:
            self.follower.state = found.state

    def _keep(self, now: bool = False) -> None:
        if not self.follower.due and self.size <= self.view.size:
            self._rest.write(self.state, lambda: None, now)

    def _read_stand(self) -> tuple[int, str]:
        try:
            size, root = json.loads(self._stand.read_bytes())
            return (size, root) if type(size) is int and isinstance(root, str) else (0, "")
        except (OSError, ValueError, TypeError):
            return 0, ""

    def _say(self, code: str, who: str, detail: str) -> None:
        """Loudly, and once of each."""
        if (code, who) not in self._said:
            self._said.add((code, who))
            logger.error("%s: %s %s", code, who or "the server", detail)
            self._warn(code, f"{who or 'the server'} {detail}")
