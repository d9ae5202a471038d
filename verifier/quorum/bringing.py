"""Signatures on their way: to the server again and again, from the other mirrors, and to the chain by this verifier.

The server brings k signatures to the chain, and pays. Where it does not, in time, each verifier does so in its turn: no
pay and no stake depends on one operator's goodwill.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from contracts.errors import CommonweightError
from contracts.ids import Address, ProofId, to_hex
from contracts.messages.for_contracts import EpochRoot, NodeFault, to_json
from contracts.mirrors.peer import PeerUnreachable
from contracts.mirrors.places import Web
from contracts.protocol.judge.state import State
from contracts.wire.requests import CosignatureBody, EpochRootBody, NodeFaultBody, VerifierFaultBody
from verifier.quorum.store import DueMessage, QuorumStore

AGAIN = 60.0
"""Seconds after which a signature that the server took, or did not, is handed to it once more."""
GATHER = 30.0
"""Seconds between two questions to the other mirrors, while something is due."""
MOST_SHOWN = 2**21
"""Bytes of one mirror's answer."""
SECONDS = 10.0
"""Seconds for one mirror's answer."""

Say = Callable[[str, str], None]
"""Reports an event with its detail."""


class SignatureDoor(Protocol):
    """The server, as this thread uses it (verifier/service/server.py)."""

    def signature(self, path: str, body: CosignatureBody) -> None:
        """Hand a signature on."""

    def close(self) -> None:
        """Nothing is handed on any more."""


class OnChain(Protocol):
    """The contracts, with a key that pays (verifier/quorum/chain.py)."""

    def bring(self, signed: DueMessage) -> str:
        """Send the call that is due for a message, if k signatures that count are here; names the call, "" for none."""

    def turn(self) -> int:
        """Number of verifiers whose turn is before this one's."""


@dataclass
class Bringer:
    """One verifier's bringer. `due` gives the subjects that the machine still awaits, None where the machine has not
    come so far yet; `others` the urls of other mirrors."""

    address: Address
    store: QuorumStore
    server: SignatureDoor
    due: Callable[[], set[str] | None]
    others: Callable[[], Mapping[str, str]]
    is_verifier: Callable[[Address], bool]
    chain: OnChain
    say: Say
    patience: float
    loopback: bool
    clock: Callable[[], float] = time.monotonic
    _since: dict[str, float] = field(default_factory=dict)
    _given: dict[str, float] = field(default_factory=dict)
    _gathered: float = float("-inf")
    _tried: dict[str, float] = field(default_factory=dict)
    _said: str = ""

    def run(self, stop: threading.Event, interval: float = 1.0) -> None:
        """Until told to stop: neither a full disk nor a chain node that is away ends it."""
        while not stop.is_set():
            self.store.news.clear()
            self._guarded(self.step)
            if not stop.is_set():
                self.store.news.wait(interval)
        self.server.close()

    def step(self) -> None:
        """Do all due steps, each by itself."""
        self._guarded(self._forget)
        waiting = self.store.all()
        digests = {signed.digest for signed in waiting}
        self._since = {name: at for name, at in self._since.items() if name in digests}
        self._given = {name: at for name, at in self._given.items() if name in digests}
        self._tried = {name: at for name, at in self._tried.items() if name in digests}
        self._guarded(partial(self._hand_all, waiting))
        if waiting and self.clock() - self._gathered >= GATHER:
            self._gathered = self.clock()
            self._guarded(self._gather)
        for signed in waiting:
            self._guarded(partial(self._bring, signed))

    def _forget(self) -> None:
        due = self.due()
        if due is not None:
            self.store.forget(due)

    def _hand_all(self, waiting: Sequence[DueMessage]) -> None:
        """Hand each on by itself, while the server answers: a server that hangs is not asked once for each message."""
        for signed in waiting:
            try:
                self._hand(signed)
            except PeerUnreachable:
                raise
            except CommonweightError as error:
                self._tell(f"{error.code}: {error.detail}")

    def _hand(self, signed: DueMessage) -> None:
        """Hand a signature to the server again and again: it may say that it took the signature, and drop it."""
        if self.clock() - self._given.get(signed.digest, float("-inf")) < AGAIN:
            return
        self._given[signed.digest] = self.clock()
        signature = to_hex(signed.signatures[self.address])
        body = _body_of(signed).made(message=to_json(signed.message), signature=signature, signer=self.address)
        self.server.signature(path_of(signed), body)

    def _gather(self) -> None:
        for verifier, url in self.others().items():
            if verifier == self.address:
                continue
            try:
                reply = Web(url, self.loopback, chosen=False, tries=1).get("/signatures", MOST_SHOWN, SECONDS)
                self.store.take(reply.require(), self.is_verifier)
            except CommonweightError:
                continue  # the mirror is asked again

    def _bring(self, signed: DueMessage) -> None:
        """In turn: the first verifier waits one `patience`, the next one more, from this process's first look on."""
        name = signed.digest
        waited = self.clock() - self._since.setdefault(name, self.clock())
        if waited < self.patience or self.clock() - self._tried.get(name, float("-inf")) < AGAIN:
            return
        if waited < self.patience * (1 + self.chain.turn()):
            return
        self._tried[name] = self.clock()
        fresh = next((stored for stored in self.store.all() if stored.digest == name), None)
        call = self.chain.bring(fresh) if fresh is not None else ""
        if call:
            self.say("brought to the chain", f"{call}: the server did not within {waited:.0f} s")

    def _guarded(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # web3 and its transport raise their own
            self._tell(f"{error.code}: {error.detail}" if isinstance(error, CommonweightError) else repr(error))

    def _tell(self, detail: str) -> None:
        if detail != self._said:
            self.say("trouble", detail)
        self._said = detail


def path_of(signed: DueMessage) -> str:
    """The path of a message's signatures, below the server's API."""
    if isinstance(signed.message, EpochRoot):
        return f"/epochs/{signed.message.epoch}/signatures"
    return "/node-faults/signatures" if isinstance(signed.message, NodeFault) else "/faults/signatures"


def _body_of(signed: DueMessage) -> type[CosignatureBody]:
    if isinstance(signed.message, EpochRoot):
        return EpochRootBody
    return NodeFaultBody if isinstance(signed.message, NodeFault) else VerifierFaultBody


def subject_of_epoch(number: int) -> str:
    """The subject of an epoch that is not final."""
    return f"epoch/{number}"


def subject_of_fault(proof: ProofId, party: str, fault: str) -> str:
    """The subject of a fault whose slash is not final."""
    return f"fault/{proof}/{party}/{fault}"


def subjects(state: State) -> set[str]:
    """Subjects that the machine awaits of the chain."""
    epochs = {subject_of_epoch(number) for number, epoch in state.epochs.items() if epoch.final is None}
    return epochs | {subject_of_fault(*fault) for fault in state.signable}
