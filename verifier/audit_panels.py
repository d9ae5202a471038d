"""What an audit takes from verifiers: who was drawn to read, what each drew, said, and revealed of its work."""

from __future__ import annotations

from typing import Any

from eth_utils import to_checksum_address

from contracts import messages
from contracts.audit_rate import is_audited
from contracts.draw import check_link, draw_segments, panel_order
from contracts.faults import witness_of
from contracts.reasons import REJECT
from verifier.audit_state import Authority, Books, ProofState, require, run_of, signed


class PanelAudit:
    """Panels of one deployment, over the proofs in `books`. Raises NotBorneOut."""

    def __init__(self, authority: Authority, books: Books) -> None:
        self.beacons: dict[int, bytes] = {}
        self.draws = 0
        self._authority, self._books = authority, books

    def panel_drawn(self, entry: dict[str, Any]) -> None:
        """The beacon orders those who were bound and admitted; the first of them read."""
        proof = self._books.proofs[entry["proof"]]
        run, beacon = run_of(proof), bytes.fromhex(entry["beacon"][2:])
        admitted = self._books.round_of(proof).bench.members
        bound = {name for (of, name), block in self._books.bound.items() if of == run and block < proof.beacon_block}
        order = panel_order(beacon, bytes.fromhex(entry["proof"][2:]), sorted(bound & admitted))
        seated = list(order[: self._books.runs[run].manifest.panel or len(order)])
        require(not proof.order and entry["verifiers"] == seated, "panel does not follow from the beacon")
        proof.order, proof.seated, proof.beacon = order, seated, beacon
        self._reached(proof)
        self.beacons[proof.beacon_block] = beacon

    def proof_spared(self, entry: dict[str, Any]) -> None:
        """The coin of the beacon says that nobody reads."""
        proof, beacon = self._books.proofs[entry["proof"]], bytes.fromhex(entry["beacon"][2:])
        require(self._authority.beacon(proof.beacon_block) == beacon, "beacon is not the chain's block")
        node = to_checksum_address(proof.message.node)
        rate = self._books.round_of(proof).rates[node]
        spared = not is_audited(beacon, bytes.fromhex(entry["proof"][2:]), rate)
        require(spared and not proof.order, "a proof was spared that the coin says to read")
        proof.spared = True
        self._reached(proof)

    def seated(self, key: str, verifier: str | None) -> None:
        """The next of the order sits down."""
        proof = self._books.proofs[key]
        place = len(proof.seated)
        due = proof.order[place] if place < len(proof.order) else None
        require(verifier == due, "seat taken by another than the next in the drawn order")
        proof.seated += [due] if due else []

    def challenge(self, entry: dict[str, Any]) -> None:
        """A draw, repeated from beacon and hash chain."""
        said = signed(self._authority.domain, messages.Challenge, entry, lambda m: m.verifier)
        proof, name = self._seat("0x" + said.proof.hex(), said.verifier, "draw")
        run = run_of(proof)
        check_link(self._books.anchors[run, name].anchor, said.link, proof.message.round)
        block = (said.beaconBlock, said.beacon)
        require(block == (proof.beacon_block, proof.beacon), "drawn from another block than the proof's beacon")
        segments = self._books.round_of(proof).config.segments
        samples = self._books.runs[run].manifest.samples
        drawn = draw_segments(said.beacon, said.link, said.proof, segments, samples)
        require(list(drawn) == entry["segments"], "draw does not follow from beacon and hash chain")
        proof.draws[name] = drawn
        self.draws += 1

    def opening(self, entry: dict[str, Any]) -> None:
        """A state that the node opened; who replays it checks the bytes."""
        proof = self._books.proofs[entry["message"]["proof"]]
        opened = signed(self._authority.domain, messages.Opening, entry, lambda _: proof.message.node)
        require(opened.boundary not in proof.openings, "a boundary was opened twice")
        proof.openings[opened.boundary] = {"message": entry["message"], "signature": entry["signature"]}

    def verdict(self, entry: dict[str, Any]) -> None:
        """The word of one who sits, once a stage."""
        verdict = signed(self._authority.domain, messages.Verdict, entry, lambda m: m.verifier)
        proof, name = self._seat("0x" + verdict.proof.hex(), verdict.verifier, "verdict")
        require((verdict.stage, name) not in proof.verdicts, "a verifier gave two verdicts at one stage")
        proof.verdicts[verdict.stage, name] = verdict

    def disputed(self, entry: dict[str, Any]) -> None:
        """What all replay: segments that were rejected by who may have drawn them, or that a canary names."""
        proof = self._books.proofs[entry["proof"]]
        rejected = {said.segment for (stage, _), said in proof.verdicts.items() if (stage, said.outcome) == (1, REJECT)}
        named = rejected if rejected or proof.fake is None else {proof.fake}
        due = named & {segment for drawn in proof.draws.values() for segment in drawn}
        require(entry["disputed"] == sorted(due), "other segments are in dispute than were rejected")
        proof.disputed = tuple(entry["disputed"])

    def witness(self, entry: dict[str, Any]) -> None:
        """A verifier binds itself to its trace, before the proof is decided."""
        said = signed(self._authority.domain, messages.WorkWitness, entry, lambda m: m.verifier)
        proof, name = self._seat("0x" + said.proof.hex(), said.verifier, "witness")
        require(name not in proof.witnesses, "a verifier bound itself to two traces")
        require(proof.state == "pending", "a verifier bound itself when the proof was decided")
        proof.witnesses[name] = said.witness

    def revealed(self, entry: dict[str, Any]) -> None:
        """The trace that was bound, once the proof is decided."""
        said = signed(self._authority.domain, messages.WorkReveal, entry, lambda m: m.verifier)
        proof, name = self._seat("0x" + said.proof.hex(), said.verifier, "trace")
        require(proof.state != "pending", "a trace was revealed while others could copy it")
        fits = witness_of(name, said.proof, said.trace) == proof.witnesses.get(name)
        require(fits, "a trace was revealed that its verifier was not bound to")
        proof.traces[name] = said.trace

    def _seat(self, key: str, verifier: str, what: str) -> tuple[ProofState, str]:
        proof, name = self._books.proofs[key], to_checksum_address(verifier)
        require(name in proof.seated, f"{what} by {name}, who is not on the panel")
        return proof, name

    def _reached(self, proof: ProofState) -> None:
        """The chain had reached the proof's beacon: no later round may go back to verifiers and stakes before it."""
        run = self._books.runs[run_of(proof)]
        run.block = max(run.block, proof.beacon_block)
