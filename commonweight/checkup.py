"""`commonweight check`: all that a node, a verifier or a server needs, tried one by one, each with what to do.

What is not given is skipped; a check that fails keeps no other from being made.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from urllib.request import getproxies

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.exceptions import Web3Exception

from commonweight.keystore import open_keystore
from commonweight.terminal.failures import as_refusal
from contracts.amounts import COINS, amount
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import NO_RUN, RunId, to_hex
from contracts.process.clock_watch import LIMIT_SECONDS
from contracts.process.outage import duration
from contracts.protocol.run_config import RunConfig
from contracts.wire.runs import Run
from trainer.client import ApiClient
from trainer.data.corpus import corpus_of
from trainer.steps.determinism import configure_determinism

LEAST_FREE = 2**30
"""Bytes of disk below which a process will not last long."""
PATIENCE_SECONDS = 3.0


class CheckResult(StrEnum):
    """Of one check."""

    FINE = "fine"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Found:
    """What one check found, and what to do about it."""

    check: str
    verdict: CheckResult
    says: str
    remedy: str = ""

    def line(self) -> str:
        """For people."""
        return f"{self.verdict:<8} {self.check}: {self.says}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class CheckTargets:
    """What is looked at. Empty: that is skipped."""

    api_url: str
    rpc_url: str
    folder: Path
    deployment: Path | None = None
    keystore: Path | None = None
    run: RunId = NO_RUN
    data: tuple[Path, ...] = ()

    @cached_property
    def place(self) -> Deployment | None:
        """The deployment file, or the server's word where no file is given."""
        if self.deployment is not None:
            return Deployment.of_file(self.deployment)
        return self.client.deployment

    @cached_property
    def w3(self) -> Web3:
        """The chain node."""
        return connect(self.rpc_url, timeout=PATIENCE_SECONDS, patience=0.0)

    @cached_property
    def client(self) -> ApiClient:
        """The server."""
        return ApiClient(self.api_url, patience=PATIENCE_SECONDS, say=lambda _line: None)

    @cached_property
    def key(self) -> LocalAccount:
        """Of the keystore."""
        assert self.keystore is not None, "it is asked for where one is given"
        return open_keystore(self.keystore)

    @cached_property
    def config(self) -> RunConfig:
        """Of the run, as the next round opens with it."""
        return RunConfig.from_json(self.client.read(Run, f"/runs/{self.run}").config)


class Skip(Exception):
    """There is nothing to look at."""


Result = tuple[CheckResult, str, str]


def check_all(asked: CheckTargets) -> Iterator[Found]:
    """Every check in turn. Raises nothing but what is a fault of ours."""
    for name, check in CHECKS.items():
        yield _guarded(name, check, asked)


def _guarded(name: str, check: Callable[[CheckTargets], Result], asked: CheckTargets) -> Found:
    try:
        return Found(name, *check(asked))
    except Skip as why:
        return Found(name, CheckResult.SKIPPED, str(why))
    except (CommonweightError, OSError, ValueError, Web3Exception) as error:
        refusal = error if isinstance(error, CommonweightError) else _refusal(error)
        return Found(name, CheckResult.FAILED, refusal.detail, f"see `{refusal.code}` in docs/errors.md")


def _refusal(error: Exception) -> CommonweightError:
    try:
        return as_refusal(error)
    except Exception:  # an answer that makes no sense, or a file that is no deployment
        return CommonweightError(f"{type(error).__name__}: {error}")


def _proxy(_asked: CheckTargets) -> Result:
    """Nodes and verifiers take none; commands do."""
    found = {name: url for name, url in getproxies().items() if name != "no"}
    if not found:
        return CheckResult.FINE, "the environment names no proxy", ""
    named = ", ".join(f"{name} by {url}" for name, url in sorted(found.items()))
    return CheckResult.WARNING, f"commands send {named}", "nodes and verifiers send directly: let them through"


def _chain(asked: CheckTargets) -> Result:
    place = asked.place
    chain_id = int(asked.w3.eth.chain_id)
    if place is not None and chain_id != place.chain_id:
        says = f"{asked.rpc_url} is chain {chain_id}, and the model is of chain {place.chain_id}"
        return CheckResult.FAILED, says, "give the chain node of the model by --rpc-url"
    if place is not None and not asked.w3.eth.get_code(Web3.to_checksum_address(place.model_registry)):
        says = f"chain {chain_id} has no contract of the model"
        return CheckResult.FAILED, says, "is it another chain of the same number, or was it started empty?"
    return CheckResult.FINE, f"chain {chain_id}, newest block {asked.w3.eth.block_number}", ""


def _finality(asked: CheckTargets) -> Result:
    newest, final = (int(asked.w3.eth.get_block(tag)["number"]) for tag in ("latest", "finalized"))
    return CheckResult.FINE, f"the newest final block is {final}, {newest - final} behind the newest", ""


def _api(asked: CheckTargets) -> Result:
    shown = asked.client.deployment
    if asked.deployment is not None and asked.place != shown:
        return CheckResult.FAILED, f"{asked.api_url} serves another model, {shown.name}", "check --api and --deployment"
    return CheckResult.FINE, f"{asked.api_url} serves the model {shown.name}", ""


def _clock(asked: CheckTargets) -> Result:
    ahead = time.time() - int(asked.w3.eth.get_block("latest")["timestamp"])
    if ahead < -LIMIT_SECONDS:
        return (
            CheckResult.FAILED,
            f"this machine is {duration(-ahead)} behind the chain's newest block",
            "set it, by NTP",
        )
    if ahead > 10 * LIMIT_SECONDS:
        says = f"the chain's newest block is {duration(ahead)} old"
        return CheckResult.WARNING, says, "either the chain rests, or this machine's clock is ahead: set it, by NTP"
    return CheckResult.FINE, f"the chain's newest block is {duration(max(0.0, ahead))} old", ""


def _disk(asked: CheckTargets) -> Result:
    folder = next(path for path in (asked.folder, *asked.folder.absolute().parents) if path.is_dir())
    with tempfile.TemporaryFile(dir=folder):
        pass
    free = shutil.disk_usage(folder).free
    says = f"{folder} can be written, {free / 2**30:.1f} GiB are free"
    if free < LEAST_FREE:
        return CheckResult.WARNING, says, "make room: a round keeps states of the model's size"
    return CheckResult.FINE, says, ""


def _key(asked: CheckTargets) -> Result:
    if asked.keystore is None:
        raise Skip("no --keystore is given")
    says = f"{asked.keystore} opens, {asked.key.address}"
    if asked.keystore.stat().st_mode & 0o077 and os.name == "posix":
        return CheckResult.WARNING, f"{says}; others on this machine can read the file", "chmod 600 it"
    return CheckResult.FINE, says, ""


def _balance(asked: CheckTargets) -> Result:
    if asked.keystore is None:
        raise Skip("no --keystore is given")
    held = int(asked.w3.eth.get_balance(asked.key.address))
    if held == 0:
        return (
            CheckResult.WARNING,
            f"{asked.key.address} has no coins",
            "a node needs none; staking and sending take some",
        )
    return CheckResult.FINE, f"{asked.key.address} has {amount(held, COINS)}", ""


def _verifiers(asked: CheckTargets) -> Result:
    if asked.place is None:
        raise Skip("no deployment is known")
    registry = VerifierRegistry(asked.w3, asked.place.verifier_registry)
    names = registry.verifiers()
    k = registry.threshold()
    says = f"{len(names)} are admitted, {k} decide"
    if asked.keystore is not None and asked.key.address in names:
        says += f"; this key is one of them, with {amount(registry.stake_of(asked.key.address), COINS)} staked"
    if len(names) < 2 * k - 1:
        return CheckResult.WARNING, says, f"rounds open with {2 * k - 1}: the holders admit more"
    return CheckResult.FINE, says, ""


def _run(asked: CheckTargets) -> Result:
    if not asked.run:
        raise Skip("no --run is given")
    shown = asked.client.read(Run, f"/runs/{asked.run}")
    if shown.phase == "over":
        return CheckResult.FAILED, "the run is over", "choose another: `commonweight run list`"
    return CheckResult.FINE, f"round {shown.round}, {shown.phase}", ""


def _corpus(asked: CheckTargets) -> Result:
    if not asked.run:
        raise Skip("no --run is given")
    asked_for = asked.config.corpus_digest
    corpus_of(asked.data).require(asked_for)
    return CheckResult.FINE, f"the text is the run's, {asked_for}", ""


def _self_test(asked: CheckTargets) -> Result:
    """What this machine computes, and whether a verifier of the run computes alike."""
    profile = asked.config.profile if asked.run else "exact"
    digest = to_hex(configure_determinism(profile).digest())
    says = f"this machine computes as profile {digest} ({profile})"
    if not asked.run or profile != "exact":
        return CheckResult.FINE, says, ""
    alike = [one for one in asked.client.read(Run, f"/runs/{asked.run}").verifiers if one.profile == digest]
    if not alike:
        return CheckResult.FAILED, f"{says}, and no verifier of the run does", _OTHER_MACHINE
    return CheckResult.FINE, f"{says}, as {len(alike)} verifiers of the run do", ""


_OTHER_MACHINE = "use a machine and a torch like theirs, or join a run of the portable profile"

CHECKS: dict[str, Callable[[CheckTargets], Result]] = {
    "proxy": _proxy,
    "api": _api,
    "chain": _chain,
    "finality": _finality,
    "clock": _clock,
    "disk": _disk,
    "key": _key,
    "balance": _balance,
    "verifiers": _verifiers,
    "run": _run,
    "corpus": _corpus,
    "self-test": _self_test,
}
"""In this order: what others build on comes first."""
