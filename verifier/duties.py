"""What a verifier owes beside verdicts: proof that it read, its word on those who did not, and its part in appeals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from eth_utils import to_checksum_address

from contracts.faults import Fault, evidence_of, witness_of
from contracts.messages import AppealRuling, BisectionMove, Message, NodeFault, VerifierFault, WorkReveal, WorkWitness
from trainer.client import ApiClient, ApiProblem, deadline, octets
from verifier.guilt import Known, find_faults, is_node_at_fault
from verifier.jobs import Job, Key, Order, State
from verifier.queue import VerifierApp

APPEAL_STAGE = 3
Report = Callable[[str, str, str], None]
"""Event, proof, detail."""

Found = Callable[[dict[str, Any]], Message | None]
"""From a fault as the API lists it: what to sign, None for one that does not hold."""


class Duties:
    """Of one verifier in one run. Every method may be called again at any time: what is done is not done twice."""

    def __init__(self, client: ApiClient, run: str, folder: Path, app: VerifierApp, attempts: int) -> None:
        self._client, self._run, self._app, self._attempts = client, run, app, attempts
        self._traces = folder / "traces"
        self._traces.mkdir(parents=True, exist_ok=True)
        self._signed: set[tuple[str, str, str]] = set()
        self._model = octets(client.network["deployment"]["model"])

    def bind(self, proof: str, trace: bytes) -> None:
        """Before the verdict: sign a witness of the trace, and keep the trace to reveal it."""
        self._keep(proof, {"trace": trace.hex(), "revealed": False})
        witness = witness_of(self._client.address, octets(proof), trace)
        self._client.send("/witnesses", WorkWitness(octets(proof), self._client.address, witness, deadline()))

    def reveal(self, report: Report) -> None:
        """Open the traces of proofs that are decided."""
        for path in sorted(self._traces.iterdir()):
            kept = json.loads(path.read_text())
            if kept["revealed"] or self._client.get(f"/proofs/{path.name}/status")["state"] == "pending":
                continue
            message = WorkReveal(octets(path.name), self._client.address, bytes.fromhex(kept["trace"]), deadline())
            try:
                self._client.send("/reveals", message)
            except ApiProblem as refusal:  # too late for this one must not keep the next from being revealed
                report("trouble", path.name, f"{refusal.code}: {refusal.detail}")
                if refusal.status >= 500:  # the server's own trouble: try again
                    continue
            else:
                report("revealed", path.name, "the trace of the common segment")
            self._keep(path.name, {**kept, "revealed": True})

    def _keep(self, proof: str, trace: dict[str, Any]) -> None:
        """Whole or not at all: a torn file would be no proof of work."""
        scratch = self._traces.parent / f"{proof}.trace"
        scratch.write_text(json.dumps(trace))
        scratch.replace(self._traces / proof)

    def sign_faults(self, known: Known, report: Report) -> None:
        """Put this verifier's name under the faults of others that it finds in its own log itself."""

        def found(listed: dict[str, Any]) -> VerifierFault | None:
            if (listed["verifier"], listed["fault"]) not in find_faults(*known(listed["proof"])):
                return None
            evidence = evidence_of(octets(listed["proof"]), Fault[listed["fault"].upper().replace("-", "_")])
            return VerifierFault(self._model, listed["verifier"], evidence, int(listed["message"]["deadline"]))

        listed = self._client.get(f"/runs/{self._run}/faults")
        others = (fault for fault in listed if fault["verifier"] != self._client.address)
        self._cosign("/faults", others, found, report)

    def sign_node_faults(self, known: Known, report: Report) -> None:
        """The same for nodes whose proofs k verifiers rejected for a reason that costs stake."""

        def found(listed: dict[str, Any]) -> NodeFault | None:
            proof, bench = known(listed["proof"])
            node = to_checksum_address(proof.message.node)
            if node != listed["node"] or not is_node_at_fault(proof, bench):
                return None
            return NodeFault(self._model, node, octets(listed["proof"]), int(listed["message"]["deadline"]))

        self._cosign("/node-faults", self._client.get(f"/runs/{self._run}/node-faults"), found, report)

    def _cosign(self, path: str, faults: Iterable[dict[str, Any]], found: Found, report: Report) -> None:
        """Sign what this verifier finds too, in words of its own: what the server lists is only a hint."""
        for listed in faults:
            accused, proof = str(listed.get("verifier") or listed["node"]), str(listed["proof"])
            place = (proof, accused, str(listed.get("fault", "rejected")))
            if self._client.address in listed["signatures"] or place in self._signed:
                continue
            message = found(listed)
            if message is not None:
                domain, signer = self._client.epoch_domain, self._client.address
                self._client.send(f"{path}/signatures", message, domain=domain, signer=signer)
            self._signed.add(place)
            report("disagrees" if message is None else "fault signed", proof, f"{place[2]}: {accused}")

    def answer_appeals(self, report: Report) -> bool:
        """Make the moves and rulings that are due; whether a worker is still computing one."""
        waiting = False
        for appeal in self._client.get(f"/runs/{self._run}/appeals"):
            try:
                waiting |= self._answer(appeal, report)
            except ApiProblem as refusal:
                report("trouble", appeal["proof"], f"{refusal.code}: {refusal.detail}")
        return waiting

    def _answer(self, appeal: dict[str, Any], report: Report) -> bool:
        own = self._client.address
        if appeal["state"] == "bisecting" and appeal["respondent"] == own:
            return self._move(appeal, report)
        if appeal["state"] == "panel" and appeal["respondent"] != own and own not in appeal["rulings"]:
            return self._rule(appeal, report)
        return False

    def _move(self, appeal: dict[str, Any], report: Report) -> bool:
        proof, step, own = appeal["proof"], appeal["middle"], self._client.address
        if any(m["step"] == step and m["party"] == own for m in appeal["moves"]):
            return False
        job = self._job(proof, f"state {step}", "verifier.named_state", (proof, appeal["segment"], step))
        if job.state != State.DONE:
            return not job.settled
        state = bytes.fromhex(job.result["state"])
        self._client.send("/appeals/moves", BisectionMove(octets(proof), own, step, state, deadline()))
        report("bisected", proof, f"named the state after step {step}")
        return False

    def _rule(self, appeal: dict[str, Any], report: Report) -> bool:
        proof = appeal["proof"]
        job = self._job(proof, "ruling", "verifier.judge", (proof,))
        if job.state != State.DONE:
            return not job.settled
        message = AppealRuling(
            self._model, octets(proof), job.result["node"], appeal["respondent"],
            bool(job.result["upheld"]), int(appeal["deadline"]),
        )  # fmt: skip
        self._client.send("/appeals/rulings", message, domain=self._client.epoch_domain, signer=self._client.address)
        report("ruled", proof, "upheld" if message.upheld else "dismissed")
        return False

    def _job(self, proof: str, name: str, task: str, arguments: tuple[Any, ...]) -> Job:
        return self._app.jobs.one(Order(Key(proof, APPEAL_STAGE, name), task, arguments, self._attempts))
