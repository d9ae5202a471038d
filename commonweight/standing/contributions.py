"""The states of a contribution of code or data: from a file that maintainers sign to the epoch that pays it.

unsigned ─▶ missing ─▶ ready ── submit ──▶ credited ─▶ in-epoch
no-maintainers, missigned, taken, run-over: it cannot be handed in
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from commonweight.contribution_file import ContributionFile
from commonweight.standing.model import SeenRun, all_runs, pages, run_with
from commonweight.standing.sentence import Sentence, helper, told
from contracts.errors import BadSignature
from contracts.ids import as_address, from_hex, to_hex
from contracts.messages.for_contracts import to_json
from contracts.messages.for_log import Contribution
from contracts.messages.signatures import digest, recover
from contracts.protocol.judge.facts import Credited
from contracts.protocol.log.leaf import read
from contracts.protocol.log.signed import read_envelope
from contracts.protocol.log_audit import PayoutKind
from contracts.protocol.maintainers import Maintainers
from contracts.protocol.run_config import RunConfig
from contracts.wire.epochs import Epoch
from contracts.wire.fields import Object
from contracts.wire.log import LogPage
from contracts.wire.runs import Run
from contracts.wire.states import RunPhase
from trainer.client import ApiClient


class ContributionState(StrEnum):
    """The states of a contribution."""

    NO_MAINTAINERS = "no-maintainers"
    UNSIGNED = "unsigned"
    MISSING = "missing"
    MISSIGNED = "missigned"
    READY = "ready"
    TAKEN = "taken"
    RUN_OVER = "run-over"
    CREDITED = "credited"
    IN_EPOCH = "in-epoch"


SENTENCES: Mapping[StrEnum, Sentence] = {
    ContributionState.NO_MAINTAINERS: Sentence(
        "Run {run} has no maintainers who could sign the contribution. The holders vote on maintainers.",
        "commonweight gov propose --help",
    ),
    ContributionState.UNSIGNED: Sentence(
        "No maintainer has signed yet. The contribution needs {quorum} signatures of {missing}, until {until}.",
        "commonweight contribution sign --help",
    ),
    ContributionState.MISSING: Sentence(
        "The contribution has {signed} of {quorum} needed signatures. Others can come from {missing}, until {until}.",
        "commonweight contribution sign --help",
    ),
    ContributionState.MISSIGNED: Sentence(
        "The signature of {missigned} is not valid. This maintainer has to sign again.",
        "commonweight contribution sign --help",
    ),
    ContributionState.READY: Sentence(
        "Enough maintainers have signed, {signed} of {quorum}. Submit the contribution until {until}.",
        "commonweight contribution submit --help",
    ),
    ContributionState.TAKEN: Sentence(
        "Another contribution has credited the same subject already, in entry {entry} of the log.",
        "commonweight contribution show {id}",
    ),
    ContributionState.RUN_OVER: Sentence(
        "Run {run} is over, and credits no further contributions.", "commonweight contribution list"
    ),
    ContributionState.CREDITED: Sentence(
        "The contribution is credited in entry {entry} of the log. The run's next epoch pays it.",
        "commonweight wallet show {account}",
    ),
    ContributionState.IN_EPOCH: Sentence("Epoch {epoch} pays the contribution.", "commonweight wallet show {account}"),
}


@dataclass(frozen=True)
class Signing:
    """The signers of a contribution, by checked signatures: `missing` are maintainers who did not sign."""

    quorum: int
    signed: tuple[str, ...]
    missing: tuple[str, ...]
    strangers: tuple[str, ...]
    missigned: tuple[str, ...]


def state_of(signing: Signing, *, over: bool, taken: bool) -> ContributionState:
    """The state of a message that is not credited; `taken`: another message credited its subject."""
    if taken:
        return ContributionState.TAKEN
    if over:
        return ContributionState.RUN_OVER
    if not signing.quorum:
        return ContributionState.NO_MAINTAINERS
    if signing.missigned:
        return ContributionState.MISSIGNED
    if len(signing.signed) >= signing.quorum:
        return ContributionState.READY
    return ContributionState.MISSING if signing.signed else ContributionState.UNSIGNED


def signing_of(file: ContributionFile, maintainers: Maintainers, client: ApiClient) -> Signing:
    """Check each signature of a file against its signer, and the signers against the run's maintainers."""
    missigned = tuple(name for name, sig in file.signatures.items() if not _is_its_own(file.message, name, sig, client))
    signers = [name for name in file.signatures if name not in missigned]
    signed = tuple(name for name in maintainers.members if name in signers)
    missing = tuple(name for name in maintainers.members if name not in signed)
    strangers = tuple(name for name in signers if name not in maintainers.members)
    return Signing(maintainers.quorum, signed, missing, strangers, missigned)


@dataclass(frozen=True)
class ContributionStanding:
    """A contribution and its state. `id` is the message's digest; `signers` are by checked signatures."""

    id: str
    message: Contribution
    state: ContributionState
    signers: tuple[str, ...]
    values: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """The sentence of its state."""
        return told(SENTENCES, self.state, self.values)

    @property
    def command(self) -> str:
        """The command that moves it on."""
        return helper(SENTENCES, self.state, self.values)

    def to_json(self) -> Object:
        """One object of `--json`."""
        names = ("entry", "epoch", "quorum", "missing_signers", "strangers", "missigned_signers")
        details = {name: self.values[name] for name in names if name in self.values}
        standing = {"state": str(self.state), "sentence": self.sentence, "command": self.command}
        return {
            "about": "contribution",
            "id": self.id,
            **to_json(self.message),
            "signers": self.signers,
            **details,
            **standing,
        }

    def lines(self) -> list[str]:
        """Lines for people."""
        kind = PayoutKind(self.message.kind).name.lower()
        paid = f"weight {self.message.weight} of {kind} to {self.message.account}"
        lines = [self.id, f"  {self.message.source} {self.message.subject} ({self.message.licence}), {paid}"]
        lines.append(f"  signed by {', '.join(self.signers) or 'nobody'}")
        if self.values.get("strangers"):
            lines.append(f"  signed by others, who are not maintainers: {', '.join(self.values['strangers'])}")
        return [*lines, f"  {self.sentence}  {self.command}"]


class Contributions:
    """The credited contributions of a server's runs: each signature is checked here, on the entry of the log."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._epochs = list(pages(client, Epoch, "/epochs", "epoch", -1))

    def runs(self) -> list[SeenRun]:
        """All runs with their credited contributions."""
        return all_runs(self._client)

    def run(self, run: str) -> SeenRun:
        """One run with its credited contributions. Raises ApiProblem."""
        return run_with(self._client, run)

    def credited(self, runs: Sequence[SeenRun]) -> list[ContributionStanding]:
        """The credited ones of these runs, in the order of the log. Raises BadSignature, BadField and InvalidLeaf."""
        lines = [(line.entry, run.shown.run) for run in runs for line in run.contributions]
        return [self._entry(index, run) for index, run in sorted(lines)]

    def of_file(self, file: ContributionFile) -> ContributionStanding:
        """The state of a file: its signers, the missing maintainers and the deadline; or credited already."""
        name = to_hex(digest(file.message, self._client.domain))
        same = [c for c in self.credited(self.runs()) if _subject(c.message) == _subject(file.message)]
        if same and same[0].id == name:
            return same[0]
        run = self._client.read(Run, f"/runs/{to_hex(file.message.run)}")
        config = RunConfig.from_json(run.config)
        signing = signing_of(file, Maintainers.parse(config.maintainers), self._client)
        state = state_of(signing, over=run.phase is RunPhase.OVER, taken=bool(same))
        values = {
            "run": run.run,
            "quorum": signing.quorum,
            "signed": len(signing.signed),
            "missing": ", ".join(signing.missing),
            "missigned": ", ".join(signing.missigned),
            "until": f"the epoch of the run's last round, {config.rounds}, closes (now round {run.round})",
            "missing_signers": signing.missing,
            "strangers": signing.strangers,
            "missigned_signers": signing.missigned,
        }
        credit = {"entry": same[0].values["entry"], "id": same[0].id} if same else {}
        return ContributionStanding(name, file.message, state, signing.signed, values | credit)

    def _entry(self, index: int, run: str) -> ContributionStanding:
        (entry,) = self._client.read(LogPage, "/log/entries", start=index, limit=1).entries
        fact = read(entry.body, self._client.domain, as_address)
        body = json.loads(entry.body)
        body.pop("kind")
        message = read_envelope(Contribution, body).message
        assert isinstance(fact, Credited), "a run's document names entries that credit"
        assert isinstance(message, Contribution), "it was read as one"
        paid = [epoch.epoch for epoch in self._epochs if epoch.run == run and epoch.log_size - 1 > index]
        state = ContributionState.IN_EPOCH if paid else ContributionState.CREDITED
        values = {"entry": index, "account": message.account} | ({"epoch": min(paid)} if paid else {})
        return ContributionStanding(to_hex(digest(message, self._client.domain)), message, state, fact.signers, values)


def _subject(message: Contribution) -> tuple[str, str]:
    return message.source, message.subject


def _is_its_own(message: Contribution, name: str, signature: str, client: ApiClient) -> bool:
    try:
        return recover(message, client.domain, from_hex(signature)) == name
    except (BadSignature, ValueError):
        return False
