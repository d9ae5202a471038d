"""The parts of one verifier that its duties share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.chain.deployment import Deployment
from contracts.ids import NO_ADDRESS, NO_PROOF, Address, ProofId, from_hex
from contracts.messages.signatures import Domain
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.rules.duties import SignFault
from verifier.duties.progress import VerifierProgress
from verifier.mirror.store.blobs import BlobStore
from verifier.mirror.store.copy import LogCopy
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.stopwatch import Stopwatch
from verifier.quorum.store import QuorumStore
from verifier.replay.work import Work
from verifier.replica.chain import Chain
from verifier.replica.replica import Replica
from verifier.settings import VerifierSettings
from verifier.signing.memory import Memory
from verifier.signing.secrets import RoundSecrets
from verifier.signing.voice import Voice


@dataclass
class World:
    """One verifier. `give_blob` hands bytes to the mirrors where this one cannot be reached."""

    settings: VerifierSettings
    functions: Functions
    chain: Chain
    secrets: RoundSecrets
    memory: Memory
    replica: Replica
    copy: LogCopy
    messages: MessageStore
    blobs: BlobStore
    stopwatch: Stopwatch
    voice: Voice
    work: Work
    quorum: QuorumStore
    report: Callable[[VerifierProgress], None]
    give_blob: Callable[[str], None] = lambda _name: None
    epochs_seen: dict[tuple[int, int], int | None] = field(default_factory=dict)
    """By epoch and index of its closing entry: the newest message that was held one look later, None before it."""
    epochs_waited: set[tuple[int, int]] = field(default_factory=set)
    faults_seen: dict[SignFault, int] = field(default_factory=dict)
    """Number of entries that were read when a fault became due to be signed."""

    @property
    def address(self) -> Address:
        """This verifier's address."""
        return self.voice.address

    def root(self, index: int) -> bytes | None:
        """Root of the log up to and with an entry that messages may name; None while this copy has not read the entry:
        derived entries are known before they come."""
        with self.replica.reading() as state:
            root = state.roots.get(index)
        return from_hex(root) if root is not None else None

    @property
    def deployment(self) -> Deployment:
        """The deployment whose log is judged."""
        return self.settings.deployment

    @property
    def epoch_domain(self) -> Domain:
        """Domain of messages that contracts read."""
        return Domain(self.deployment.chain_id, self.deployment.verifier_registry)

    def say(
        self,
        event: str,
        run_round: int = 0,
        proof: ProofId = NO_PROOF,
        detail: str = "",
        node: Address = NO_ADDRESS,
    ) -> None:
        """Report an event."""
        self.report(VerifierProgress(event, run_round, node, proof, detail))
