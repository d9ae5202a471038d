"""Parties that say to the real server what a script has them say, and an audit that reads its log as a stranger does.

Nobody trains: a state is its digest, and a script says which segments are false. Everything else is real: signatures,
trees, draws, contracts, and the log, read tile by tile under the operator's signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from eth_account.signers.local import LocalAccount
from fastapi.testclient import TestClient
from httpx import Client, Response

from contracts.ids import RunId, as_address, to_hex
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message, NodeFault, VerifierFault, to_json
from contracts.messages.signatures import sign
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.faults import fault_evidence
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import Derived, Fault
from contracts.protocol.judge.facts import Awaited, What, Word
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules.seats import about, owed
from contracts.protocol.judge.state import ProofState
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import WHAT, WORDS, Envelope
from contracts.tlog.tiles import Tile
from ledger.epochs import settlement
from ledger.intake import blocks
from tests.attacks.outsiders.served import Service, service
from tests.contracts.protocol.log import signed_run
from tests.contracts.protocol.log.signed_run import SignedRun, hashed
from tests.deployed import PARAMS
from trainer.log_view.view import LogView

NOBODY = as_address("0x" + "00" * 20)
FOR_EVER = 2**64 - 1
REPLAY = 1
"""uint16 of the reason that a replay gives."""
_WORD = {word: number for number, word in WORDS.items()}
Patch = tuple[Any, str, Any]


class Refused(Exception):
    """The server did not take a message; `code` says why."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.text)
        self.status, self.code = answer.status_code, answer.json().get("code", "")


class Script(SignedRun):
    """A run whose parties speak to the server. `follower` is the audit of what the server's log says."""

    client: Client
    service: Service

    def __init__(self, service: Service, client: Client, config: dict[str, Any], **options: Any) -> None:
        self.service, self.client, self._changes = service, client, config
        self.false: dict[str, set[int]] = {}
        """Segments that a node did not compute, by its address."""
        self.departs: list[Patch] = []
        """How the operator's machine differs from everybody else's."""
        self.dropped: Callable[[Message], bool] = lambda _: False
        """What the operator thanks for and enters nowhere."""
        self.thanked: list[Envelope] = []
        self.signed: list[Envelope] = []
        """All that was handed in, in its order."""
        name = f"copy {len(list(service.folder.glob('copy *')))}"
        self.view = LogView(_made(service.folder / name), service.deployment.log_key(), self._note)
        self._new: list[str] = []
        super().__init__(**options)

    def protocol(self) -> Protocol:  # type: ignore[override]
        """The functions of this deployment."""
        return self.service.ledger.judge.functions

    def _create(self, changes: dict[str, Any]) -> None:
        self.config = replace(self.config, **self._changes)
        super()._create(changes)

    # -- speaking and reading -----------------------------------------------------------------------------------------

    def add(self, entry: facts.Rules | facts.Block | Envelope) -> list[Derived]:
        """Hand a message in; what is none is the keeper's. Raises Refused, and Differs where an audit finds that."""
        if isinstance(entry, Envelope):
            self._hand(entry)
        else:
            with self._operator():
                blocks.follow(self.service.ledger)
        return self.read()

    def block(self, *events: chain_events.ChainEvent, seconds: int = 40) -> list[Derived]:
        """What the chain has to say it says itself."""
        with self._operator():
            self.service.tick(seconds)
        return self.read()

    def offer(self, entry: Envelope) -> Response:
        """The server's answer to a message."""
        with self._operator():
            return self.client.post("/v1/messages", content=write(entry).encode())

    def refusal(self, message: Message, *authors: LocalAccount, **beside: Any) -> str:
        """The code with which the server refuses a message."""
        signatures = tuple(sign(message, self.service.domain, bytes(author.key)) for author in authors)
        before = self.view.size
        answer = self.offer(Envelope(message, signatures, beside))
        assert answer.status_code >= 400, answer.text
        self.read()
        assert self.view.size == before, "what is refused stands nowhere"
        return str(answer.json()["code"])

    def read(self) -> list[Derived]:
        """Read the log on, and audit it. Raises Differs."""
        note = self.client.get("/log/checkpoint").content
        self.view.extend(note, self._tile)
        new, self._new = self._new, []
        self.leaves += new
        self.follower.checked = True
        found = [self.follower.take(text) for text in new]
        self.follower.finish()
        return [entry for entry in found if isinstance(entry, Derived)]

    def hand_on(self) -> None:
        """A mirror hands on all that the operator kept back."""
        kept, self.thanked, self.dropped = self.thanked, [], lambda _: False
        for envelope in kept:
            self.add(envelope)

    def _hand(self, entry: Envelope) -> None:
        if self.dropped(entry.message):
            self.thanked.append(entry)
            return
        self.signed.append(entry)
        answer = self.offer(entry)
        if answer.status_code >= 300:
            raise Refused(answer)

    def _note(self, entry: bytes) -> None:
        self._new.append(entry.decode())

    def _tile(self, tile: Tile) -> bytes:
        answer = self.client.get(f"/log/{tile.path()}")
        assert answer.status_code == 200, answer.text
        return answer.content

    @contextmanager
    def _operator(self) -> Iterator[None]:
        """The server's turn, in which its machine is what the operator made of it."""
        with ExitStack() as stack:
            for place, name, value in self.departs:
                stack.enter_context(patch.object(place, name, value))
            yield

    # -- a round ------------------------------------------------------------------------------------------------------

    def begin(self) -> list[ProofState]:
        """Everybody commits, and the beacon comes."""
        self.commit_all()
        self.see()
        return [self.state.proofs[name] for name in self.round.closed]

    def draw(self, *verifiers: LocalAccount) -> None:
        """Show the secrets of these, or of all who sit."""
        for verifier in verifiers or tuple(self._seated()):
            if verifier.address not in self.round.secrets:
                self.show_secret(verifier)

    def open_only(self, proof: ProofState, boundaries: Iterable[int]) -> None:
        """The node opens some of what is asked for, and of what is not open yet."""
        name, node = proof.commitment.proof, self.node_of(proof)
        entries = self.entries(node, proof.commitment.round)
        asked = {side for segment in proof.segments for side in (segment, segment + 1)} - proof.opened
        for boundary in sorted(asked & set(boundaries)):
            self.send(self.opening(name, boundary, entries), node, path=self.path(entries, boundary))

    def open_all(self, proof: ProofState) -> None:
        """The node opens all that is asked for."""
        self.open_only(proof, range(self.config.segments + 1))

    def key_of(self, verifier: str) -> LocalAccount:
        """Of a verifier's address."""
        return next(account for account in self.verifiers if account.address == verifier)

    def owed(self, proof: ProofState, verifier: LocalAccount) -> list[int]:
        """What a verifier has to read."""
        return owed(proof, verifier.address)

    def node_of(self, proof: ProofState) -> LocalAccount:
        """Whose proof it is."""
        return next(node for node in self.nodes if node.address == proof.commitment.node)

    def truth(self, proof: ProofState, segment: int) -> Word:
        """What a replay says."""
        return Word.FALSE if segment in self.false.get(proof.commitment.node, ()) else Word.TRUE

    def speak(self, proof: ProofState, verifier: LocalAccount, words: dict[int, Word] | None = None) -> None:
        """These words, and the truth on all else that the verifier owes."""
        due = {segment: self.truth(proof, segment) for segment in owed(proof, verifier.address)} | (words or {})
        if due:
            self.send(self.verdict(proof, verifier, due), verifier)

    def verdict(self, proof: ProofState, verifier: LocalAccount, words: dict[int, Word]) -> messages.Verdict:
        """The message."""
        name = proof.commitment.proof
        said = tuple(
            messages.SegmentVerdict(segment, _WORD[word], REPLAY if word is Word.FALSE else 0, 0, 10**15)
            for segment, word in sorted(words.items())
        )
        witness = self.functions.seal_trace(verifier.address, to_hex(hashed("trace", name)))
        root = self.root_at(proof.panel_at)
        return messages.Verdict(bytes.fromhex(name[2:]), verifier.address, root, bytes.fromhex(witness[2:]), said)

    def read_through(self, proof: ProofState, *verifiers: LocalAccount) -> None:
        """These verifiers, or all, say the truth until they owe nothing."""
        for _ in range(2):
            for verifier in verifiers or tuple(self.verifiers):
                self.speak(proof, verifier)

    def finish(self, proof: ProofState) -> None:
        """The pledge, and the traces that were sealed."""
        if proof.pledge is None:
            self.open_pledge(proof.commitment.proof)
        for verifier in self.verifiers:
            if about(proof, What.TRACE, verifier.address) in proof.awaits:
                trace = hashed("trace", proof.commitment.proof)
                message = messages.TraceReveal(bytes.fromhex(proof.commitment.proof[2:]), verifier.address, trace)
                self.send(message, verifier)

    def honest_end(self, proof: ProofState, *verifiers: LocalAccount) -> None:
        """From the draws on as it should be."""
        self.draw(*verifiers)
        self.open_all(proof)
        self.read_through(proof, *verifiers)
        self.finish(proof)

    def lapse(self, awaited: Awaited, *verifiers: LocalAccount) -> None:
        """These verifiers miss something, k of them unless they are named."""
        scope = self.state.proofs[awaited.proof] if awaited.proof else self.round
        since = scope.awaits[awaited].since
        for verifier in verifiers or tuple(self.verifiers[: self.state.k]):
            self.send(self.lapse_message(awaited, since, verifier), verifier)

    def lapse_message(self, awaited: Awaited, since: int, verifier: LocalAccount) -> messages.Lapse:
        """The message."""
        looks = awaited.what is What.SECOND_LOOK
        party = NOBODY if looks or not awaited.party else awaited.party
        return messages.Lapse(
            run=bytes.fromhex(awaited.run[2:]),
            round=awaited.round,
            verifier=verifier.address,
            what=WHAT.index(awaited.what),
            proof=bytes.fromhex(awaited.proof[2:]) if awaited.proof else b"\0" * 32,
            party=as_address(party),
            segment=int(awaited.party) if looks else NO_SEGMENT,
            since=since,
            root=self.root_at(since),
        )

    def awaited(self, proof: ProofState, what: What, party: str = "") -> Awaited:
        """Of a proof; of its node unless somebody else is named."""
        return about(proof, what, party or proof.commitment.node)

    def secret_refused(self, verifier: LocalAccount, number: int, place: int | None = None) -> str:
        """The code with which a secret is refused: that of a round, or another one of the anchor's."""
        place = number - 1 if place is None else place
        path = [to_hex(node) for node in self.secret_tree(verifier).inclusion_proof(place, self.length)]
        secret = self.secrets[verifier.address][place]
        return self.refusal(messages.RoundSecret(self.run, number, verifier.address, secret), verifier, path=path)

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def make_final(self) -> None:
        """k verifiers sign each root, the keeper brings it to the chain, and its window passes."""
        for number in list(self.state.epochs):
            self.sign_root(number)
            for _ in range(4):
                self.service.settle()
                self.block(seconds=PARAMS.challenge_window + 1)

    def _make_final(self) -> None:
        self.make_final()

    def sign_root(self, number: int) -> None:
        """The root of an epoch, by what the audit derived."""
        with self.service.ledger.store.read() as session:
            message = settlement.root_message(self.service.ledger, settlement.require_epoch(session, number))
        assert to_hex(message.root) == self.state.epochs[number].closed.root
        for verifier in self.verifiers[: self.state.k]:
            self.cosign(f"/v1/epochs/{number}/signatures", message, verifier)

    def cosign(self, path: str, message: Message, verifier: LocalAccount) -> Response:
        """A signature that contracts read."""
        signature = to_hex(sign(message, self.service.epoch_domain, bytes(verifier.key)))
        body = {"message": to_json(message), "signature": signature, "signer": verifier.address}
        return self.client.post(path, json=body)

    def slash(self, *verifiers: LocalAccount) -> None:
        """Each fault that the audit says may be signed, signed by these verifiers, and brought to the chain."""
        model = self.service.model.model
        for proof, party, fault in sorted(self.state.signable):
            path = "/v1/faults/signatures" if fault else "/v1/node-faults/signatures"
            of_node = NodeFault(model, party, bytes.fromhex(proof[2:]), FOR_EVER)
            message = VerifierFault(model, party, fault_evidence(proof, fault), FOR_EVER) if fault else of_node
            for verifier in verifiers or tuple(self.verifiers[: self.state.k]):
                self.cosign(path, message, verifier)
        for _ in range(2):
            self.service.settle()
            self.block()

    def fault_of(self, proof: ProofState, verifier: LocalAccount, fault: Fault) -> VerifierFault:
        """What verifiers would sign of one of them."""
        evidence = fault_evidence(proof.commitment.proof, fault)
        return VerifierFault(self.service.model.model, verifier.address, evidence, FOR_EVER)

    def nothing_to_merge(self) -> None:
        """No proof was posted, so that nobody has to merge: the round is merged already."""
        assert self.state.runs[RunId(to_hex(self.run))].merged == self.round.number

    def claim(self, number: int, account: str) -> None:
        """Anybody has an account's lines minted."""
        answer = self.client.post(f"/v1/epochs/{number}/claims", json={"account": account})
        assert answer.status_code == 200, answer.text
        for _ in range(2):
            self.service.settle()
            self.block()

    def paid(self, node: LocalAccount) -> int:
        """Units that all epochs together pay a node's wallet, by the server's own lists."""
        wallet = signed_run.key(f"wallet of {node.address}").address
        return self.paid_to(wallet)

    def paid_to(self, account: str) -> int:
        """The same of any account."""
        epochs = self.client.get("/v1/epochs").json()
        lines = [x for e in epochs for x in self.client.get(f"/v1/epochs/{e['epoch']}/payouts").json()["payouts"]]
        return sum(int(line["amount"]) for line in lines if line["account"] == account)

    def view_of(self, proof: ProofState) -> dict[str, Any]:
        """What people read of a proof."""
        found: dict[str, Any] = self.client.get(f"/v1/proofs/{proof.commitment.proof}").json()
        return found

    def stakes_of_verifiers(self) -> list[int]:
        """On the chain."""
        return [self.service.model.registry.stake_of(verifier.address) for verifier in self.verifiers]


@contextmanager
def script(folder: Path, config: dict[str, Any] | None = None, **options: Any) -> Iterator[Script]:
    """A run of three verifiers, of whom two decide."""
    with service(folder) as made, TestClient(made.app()) as client:
        yield Script(made, client, config or {}, **options)


def another(first: Script, config: dict[str, Any] | None = None, **options: Any) -> Script:
    """A second run of the same deployment, with the same nodes."""
    return Script(first.service, first.client, config or {}, **options)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
