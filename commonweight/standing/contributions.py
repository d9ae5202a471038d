"""The states of a contribution or an invoice: from a file that maintainers sign to the epoch that pays it.

unsigned ─▶ missing ─▶ ready ── submit ──▶ credited ─▶ in-epoch
an invoice: ready ── submit ──▶ invoiced ── others gave a price ──▶ assessed
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
from commonweight.standing.sentence import Sentence, clock, helper, told
from contracts.amounts import amount
from contracts.errors import BadSignature
from contracts.ids import as_address, from_hex, to_hex
from contracts.messages.for_contracts import to_json
from contracts.messages.for_log import Contribution, Invoice
from contracts.messages.signatures import digest, recover
from contracts.protocol.judge.facts import Credited, Invoiced
from contracts.protocol.judge.terms import MEMORY_HOURS
from contracts.protocol.log.leaf import SIGNED, read
from contracts.protocol.log.signed import read_envelope
from contracts.protocol.log_audit import PayoutKind
from contracts.protocol.maintainers import Maintainers
from contracts.protocol.run_config import RunConfig
from contracts.wire.epochs import Epoch
from contracts.wire.fields import Object
from contracts.wire.log import LogPage
from contracts.wire.runs import Credit, Run
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
    INVOICED = "invoiced"
    ASSESSED = "assessed"


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
    ContributionState.INVOICED: Sentence(
        "The invoice is entry {entry} of the log; an epoch assesses it once three other renters have given a price.",
        "commonweight contribution show {id}",
    ),
    ContributionState.ASSESSED: Sentence(
        "Of {cost} {worth} {use}: the rest was paid as compute, or is above what others paid.",
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
    needs_own: bool = False
    """Whether an invoice's renter or account has not signed."""


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
    if len(signing.signed) >= signing.quorum and not signing.needs_own:
        return ContributionState.READY
    return ContributionState.MISSING if signing.signed else ContributionState.UNSIGNED


def signing_of(file: ContributionFile, maintainers: Maintainers, client: ApiClient) -> Signing:
    """Check each signature of a file against its signer, and the signers against the run's maintainers."""
    missigned = tuple(name for name, sig in file.signatures.items() if not _is_its_own(file.message, name, sig, client))
    signers = [name for name in file.signatures if name not in missigned]
    vouching = file.vouching(maintainers)
    signed = tuple(name for name in vouching if name in signers)
    own = tuple(name for name in file.own if name not in signers)
    missing = own + tuple(name for name in vouching if name not in signed)
    strangers = tuple(name for name in signers if name not in {*vouching, *file.own})
    return Signing(maintainers.quorum, signed, missing, strangers, missigned, bool(own))


@dataclass(frozen=True)
class ContributionStanding:
    """A contribution and its state. `id` is the message's digest; `signers` are by checked signatures."""

    id: str
    message: Contribution | Invoice
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
        names = ("entry", "epoch", "assessed", "quorum", "missing_signers", "strangers", "missigned_signers")
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
        lines = [self.id, f"  {_what(self.message)}"]
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
        lines = [(line.entry, run.shown.run, line) for run in runs for line in run.contributions]
        return [self._entry(*row) for row in sorted(lines, key=lambda row: row[:2])]

    def of_file(self, file: ContributionFile) -> ContributionStanding:
        """The state of a file: its signers, the missing maintainers and the deadline; or credited already."""
        name = to_hex(digest(file.message, self._client.domain))
        credited = self.credited(self.runs())
        known = [c for c in credited if c.id == name]
        if known:
            return known[0]
        same = [c for c in credited if _is_same(c.message, file.message)]
        run = self._client.read(Run, f"/runs/{to_hex(file.message.run)}")
        config = RunConfig.from_json(run.config)
        signing = signing_of(file, Maintainers.parse(config.maintainers), self._client)
        state = state_of(signing, over=run.phase == RunPhase.OVER, taken=bool(same))
        values = {
            "run": run.run,
            "quorum": signing.quorum,
            "signed": len(signing.signed),
            "missing": ", ".join(signing.missing),
            "missigned": ", ".join(signing.missigned),
            "until": _until(file.message, config.rounds, run.round),
            "missing_signers": signing.missing,
            "strangers": signing.strangers,
            "missigned_signers": signing.missigned,
        }
        credit = {"entry": same[0].values["entry"], "id": same[0].id} if same else {}
        return ContributionStanding(name, file.message, state, signing.signed, values | credit)

    def _entry(self, index: int, run: str, line: Credit) -> ContributionStanding:
        (entry,) = self._client.read(LogPage, "/log/entries", start=index, limit=1).entries
        fact = read(entry.body, self._client.domain, as_address)
        body = json.loads(entry.body)
        message = read_envelope(SIGNED[body.pop("kind")], body).message
        name = to_hex(digest(message, self._client.domain))
        assert isinstance(fact, Credited | Invoiced), "a run's document names entries that credit"
        if isinstance(message, Invoice):
            return ContributionStanding(name, message, *_worth(index, name, message, line, fact.signers))
        assert isinstance(message, Contribution), "a fact of these is one of both"
        paid = [epoch.epoch for epoch in self._epochs if epoch.run == run and epoch.log_size - 1 > index]
        state = ContributionState.IN_EPOCH if paid else ContributionState.CREDITED
        values = {"entry": index, "account": message.account} | ({"epoch": min(paid)} if paid else {})
        return ContributionStanding(name, message, state, fact.signers, values)


def _worth(
    index: int, name: str, message: Invoice, line: Credit, signers: tuple[str, ...]
) -> tuple[ContributionState, tuple[str, ...], dict[str, Any]]:
    """State, signers and words of an invoice. Its worth is the server's word; who replays the log recomputes it."""
    values: dict[str, Any] = {"entry": index, "id": name, "account": message.account}
    assessed = line.invoice.assessed if line.invoice is not None else None
    if assessed is None:
        return ContributionState.INVOICED, signers, values
    use = "may be paid back by the holders" if message.payback else "counts as capital"
    worth = {"cost": _dollars(message.amount), "worth": _dollars(assessed.credited)}
    return ContributionState.ASSESSED, signers, values | worth | {"use": use, "assessed": assessed.to_json()}


def _until(message: Contribution | Invoice, last_round: int, now: int) -> str:
    """The deadline: the hours of an invoice are not remembered for ever."""
    closes = f"the epoch of the run's last round, {last_round}, closes (now round {now})"
    if not isinstance(message, Invoice):
        return closes
    return f"{clock((message.fromHour + MEMORY_HOURS) * 3600)}, or earlier if {closes}"


def _what(message: Contribution | Invoice) -> str:
    if isinstance(message, Invoice):
        hours = f"{message.toHour - message.fromHour} hours from {clock(message.fromHour * 3600)} on"
        use = "to be paid back" if message.payback else "capital"
        machine = f"{message.machine} at {message.provider}"
        return f"{_dollars(message.amount)} for {machine}, {hours}: {use} to {message.account}"
    kind = PayoutKind(message.kind).name.lower()
    paid = f"weight {message.weight} of {kind} to {message.account}"
    return f"{message.source} {message.subject} ({message.licence}), {paid}"


def _dollars(micro: int | str) -> str:
    return amount(micro, "US dollars", 6)


def _is_same(known: Contribution | Invoice, message: Contribution | Invoice) -> bool:
    """Whether one keeps the other out: the same subject, or an hour of the same machine or key."""
    if isinstance(known, Invoice) and isinstance(message, Invoice):
        names = [{(one.provider, one.machine.lower()), *one.nodes} for one in (known, message)]
        return bool(names[0] & names[1]) and known.fromHour < message.toHour and message.fromHour < known.toHour
    if isinstance(known, Invoice) or isinstance(message, Invoice):
        return False
    return (known.source, known.subject) == (message.source, message.subject)


def _is_its_own(message: Contribution | Invoice, name: str, signature: str, client: ApiClient) -> bool:
    try:
        return recover(message, client.domain, from_hex(signature)) == name
    except (BadSignature, ValueError):
        return False
