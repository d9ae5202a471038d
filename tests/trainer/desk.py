"""One node's round without a network: a job, and what a conduct makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.ids import Address, BlobName, ProofId, RunId, as_address, to_hex
from contracts.messages.signatures import Domain
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import theta_digest
from trainer.conduct import Conduct, Made, NothingToCopy, RoundTask
from trainer.data.corpus import Corpus
from trainer.log_view.shown import CoveredProof, CoveredRound, CoveredRun
from trainer.model.state import initial_theta, start_tensors
from trainer.steps.trajectory import Trajectory

RUN, SEED = RunId("0x" + "3" * 64), "0x" + "07" * 32
VICTIM = as_address("0x" + "22" * 20)


@dataclass
class Alone:
    """Surroundings in which a test says what is shown."""

    rounds: dict[int, CoveredRound] = field(default_factory=dict)
    proofs: dict[ProofId, CoveredProof] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    domain: Domain = Domain(31337, "0x" + "ab" * 20)  # noqa: RUF009 - frozen
    account: LocalAccount = field(default_factory=lambda: Account.from_key("0x" + "11" * 32))

    @property
    def address(self) -> Address:
        return as_address(str(self.account.address))

    def runs(self) -> Sequence[CoveredRun]:
        return [CoveredRun(RUN, 1)]

    def round(self, run: RunId, number: int) -> CoveredRound:
        if run != RUN or number not in self.rounds:
            raise NothingToCopy(f"{run}/{number}")
        return self.rounds[number]

    def proof(self, name: ProofId) -> CoveredProof:
        if name not in self.proofs:
            raise NothingToCopy(name)
        return self.proofs[name]

    def blob(self, name: str) -> bytes:
        if name not in self.blobs:
            raise NothingToCopy(name)
        return self.blobs[name]


def job_of(config: RunConfig, corpus: Corpus, around: Alone | None = None, number: int = 1) -> RoundTask:
    """A joiner's round from the run's first weights."""
    around = around or Alone()
    start = start_tensors(initial_theta(config), None)
    theta = to_hex(theta_digest(start))
    digest = to_hex(config.digest())
    view = CoveredRound(RUN, number, digest, SEED, theta, BlobName(""), (around.address, VICTIM), ())
    return RoundTask(around, view, config, lambda: corpus, start)


def play(conduct: Conduct, job: RoundTask, folder: Path | None = None) -> tuple[Trajectory, Sequence[Made]]:
    """What it would commit to."""
    done = conduct.work(job, lambda _step, _result: None, folder)
    return done, conduct.commitments(job, done)
