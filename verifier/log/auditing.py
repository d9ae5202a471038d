"""The whole audit of a log: its head, every entry, every block and root on the own chain, and the mirrors' heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from web3 import Web3

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file
from contracts.ids import Address, as_address, from_hex
from contracts.messages.signatures import Domain
from contracts.mirrors.finding import find_mirrors
from contracts.mirrors.places import Place, open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.chain.reading import ChainReader
from contracts.protocol.judge.protocol import Protocol
from contracts.tlog.checkpoint import verify_checkpoint
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.keys import SignatureType, VerifierKey
from contracts.tlog.note import NoteNotSigned, SignedNote, parse_note
from contracts.tlog.policy import Policy, k_of_n
from trainer.log_view.gleaned import Gleaned
from verifier.log.blocks import BlockCheck
from verifier.log.machine import Departs, MachineAudit
from verifier.log.report import LogFinding, Report
from verifier.log.roots import RootCheck
from verifier.log.two_logs import contradiction, shown_evidence
from verifier.mirror.store.evidence import Evidence

OnEntry = Callable[[int, int], None]
"""Called after each entry, with the number of entries that were read and the number of all."""


class AnotherChain(CommonweightError):
    """The chain node is of another chain than the deployment."""

    code = "another-chain"


@dataclass(frozen=True)
class Auditor:
    """An auditor's own inputs: the deployment, an address of the log, and (or None) a chain node of its own."""

    deployment: Deployment
    address: str
    w3: Web3 | None = None

    @property
    def domain(self) -> Domain:
        """Domain of all messages in the log."""
        return Domain(self.deployment.chain_id, self.deployment.model_registry)

    def functions(self) -> Protocol:
        """The machine's functions."""
        deployment = self.deployment
        return Protocol(deployment.chain_id, deployment.distributor, from_hex(deployment.model), deployment.deployer)

    def registry(self) -> VerifierRegistry | None:
        """The registry on the auditor's own chain. Raises AnotherChain."""
        if self.w3 is None:
            return None
        if self.w3.eth.chain_id != self.deployment.chain_id:
            raise AnotherChain(f"the node is of chain {self.w3.eth.chain_id}, not {self.deployment.chain_id}")
        return VerifierRegistry(self.w3, self.deployment.verifier_registry)


class Audit:
    """One audit, from its head to its report. Raises what LogReader raises where the place shows no sound log."""

    def __init__(self, auditor: Auditor, on_entry: OnEntry = lambda _, __: None) -> None:
        self._auditor, self._on_entry, self.report = auditor, on_entry, Report()
        self._registry = auditor.registry()
        self._chain_quorum = self._of_chain()
        log = auditor.deployment.log_key()
        self.reader = LogReader(open_place(auditor.address, log), log)
        self.gleaned = Gleaned(auditor.domain)
        """Keys of cosignatures, and the verifiers, by the log."""

    def run(self, head_file: Path | None = None) -> Report:
        """The whole audit; `head_file` has the head that was seen last, which this log has to continue."""
        self._entries()
        self._mirrors()
        if head_file is not None:
            self._kept(head_file)
        self._always()
        return self.report

    def policy(self) -> Policy:
        """k of the verifiers whose keys stand in the log; the chain names them, or the log without a chain node.

        Raises InvalidPolicy where fewer than k have a key there.
        """
        verifiers, k = self._verifiers()
        keys = {name: self.gleaned.keys[name] for name in sorted(verifiers) if name in self.gleaned.keys}
        witnesses = {name: VerifierKey(name, SignatureType.COSIGNATURE, key) for name, key in keys.items()}
        return k_of_n(self.reader.log, witnesses, k)

    # -- entries, blocks, roots ---------------------------------------------------------------------------------------

    def _entries(self) -> None:
        auditor = self._auditor
        reader = self.reader
        report = self.report
        blocks = self._block_check()
        machine = MachineAudit(auditor.functions(), auditor.domain, blocks)
        roots = RootCheck(self._registry, reader.size, lambda size: reader.tree.root(size))
        report.holds.append(f"head: {reader.size} entries, signed by {reader.log.name}")
        read = 0
        try:
            for read, leaf in enumerate(reader.entries(), start=1):
                report.findings += roots.take(read - 1, machine.take(leaf))
                self.gleaned.take(leaf)
                self._on_entry(read, reader.size)
            machine.finish()
            report.holds.append(f"entries: all {read} follow from those before them, signatures and derived ones alike")
        except Departs as departs:
            report.findings.append(departs.finding)
            if read < reader.size:
                report.unchecked.append(f"the {reader.size - read} entries behind entry {read - 1}")
        self._say_blocks(blocks)
        self._say_roots(roots)

    def _block_check(self) -> BlockCheck:
        auditor = self._auditor
        if auditor.w3 is None:
            return BlockCheck(None)
        reader = ChainReader(auditor.w3, auditor.deployment)
        return BlockCheck(reader, lambda: reader.created)

    def _say_blocks(self, blocks: BlockCheck) -> None:
        if blocks.checked:
            self.report.holds.append(f"blocks: {blocks.checked} say what your chain says")
        if blocks.unchecked:
            line = f"{blocks.unchecked} blocks against a chain of yours: {blocks.stopped}"
            self.report.unchecked.append(line if self._registry is not None else f"{line} (--rpc-url)")

    def _say_roots(self, roots: RootCheck) -> None:
        before = len(self.report.findings)
        self.report.findings += roots.finish(whole=not before)
        if self._registry is None:
            self.report.unchecked.append("the epochs' roots on the chain: no chain node was named (--rpc-url)")
            return
        if roots.final:
            self.report.holds.append(f"roots: {roots.final} final epochs have the root that follows from the log")
        self.report.holds += roots.open
        self.report.unchecked += [*roots.beyond, *filter(None, [roots.stopped])]

    # -- two logs -----------------------------------------------------------------------------------------------------

    def _mirrors(self) -> None:
        verifiers, k = self._verifiers()
        auditor = self._auditor
        places, trouble = find_mirrors(
            auditor.deployment, auditor.domain, verifiers, self.reader.place, auditor.address
        )
        self.report.unchecked += trouble
        self._evidence(self.reader.place)
        signed = [name for name, place in places.items() if self._mirror(as_address(name), place)]
        self.report.holds.append(
            f"mirrors: {len(signed)} of {len(verifiers)} verifiers have signed this log as theirs (k is {k})"
        )

    def _mirror(self, verifier: Address, place: Place) -> bool:
        """Whether a mirror shows a head of this log under its verifier's signature."""
        try:
            note = parse_note(place.checkpoint())
            evidence = contradiction(self.reader, note, place)
            self._evidence(place)
        except CommonweightError as error:
            self.report.unchecked.append(f"the mirror of {verifier}: {error.detail}")
            return False
        if evidence is not None:
            self._convict(f"the mirror of {verifier} ({place.name}) shows another log of the operator's", evidence)
            return False
        return self._is_cosigned(verifier, note)

    def _is_cosigned(self, verifier: Address, note: SignedNote) -> bool:
        key = self.gleaned.keys.get(verifier)
        try:
            if key is None:
                raise NoteNotSigned("the log has no key of it")
            verify_cosignature(note, VerifierKey(verifier, SignatureType.COSIGNATURE, key))
        except CommonweightError as error:
            self.report.unchecked.append(f"the head of {verifier}: {error.detail}")
            return False
        return True

    def _evidence(self, place: Place) -> None:
        """Findings of two logs, by the evidence that another mirror has."""
        try:
            for evidence in shown_evidence(place.mirrors(), self.reader.log):
                self._convict(f"{place.name} shows two heads that the operator signed", evidence)
        except CommonweightError as error:
            self.report.unchecked.append(f"evidence that {place.name} has: {error.detail}")

    def _convict(self, line: str, evidence: Evidence) -> None:
        body = evidence.body()
        if all(finding.evidence != body for finding in self.report.findings):
            self.report.findings.append(LogFinding("two-logs", line, evidence=body))

    def _kept(self, file: Path) -> None:
        """The log continues the head of the last audit; of two heads the larger is kept. Raises InvalidNote."""
        if file.exists() and not self._goes_on(file, parse_note(file.read_bytes())):
            return
        replace_file(file, self.reader.note.format())

    def _goes_on(self, file: Path, note: SignedNote) -> bool:
        before = verify_checkpoint(note, self.reader.log).size
        if before > self.reader.size:
            line = f"whether the log goes on: {file} holds a head of {before} entries, this copy is behind it"
            self.report.unchecked.append(line)
            return False
        evidence = contradiction(self.reader, note, self.reader.place)
        if evidence is not None:
            self._convict(f"the head in {file} is of another log", evidence)
            return False
        self.report.holds.append(f"history: the log goes on from the {before} entries of the head in {file}")
        return True

    # -- the verifiers ------------------------------------------------------------------------------------------------

    def _verifiers(self) -> tuple[list[str], int]:
        """The verifiers and k, by the chain, or by the log."""
        return self._chain_quorum or (sorted(self.gleaned.admitted), self.gleaned.k)

    def _of_chain(self) -> tuple[list[str], int] | None:
        return (self._registry.verifiers(), self._registry.threshold()) if self._registry is not None else None

    def _always(self) -> None:
        if self._registry is None:
            self.report.unchecked.append("that these are the model's verifiers: no chain node was named (--rpc-url)")
        self.report.unchecked.append("that a word about a segment is right: replay one (commonweight verify)")
