"""`commonweight check`: all that a node, a verifier or a server needs, tried one by one, each with a remedy.

A check without its option is skipped; a check that fails keeps no other from being made.
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
from contracts.mirrors.places import is_loopback
from contracts.process.clock_watch import LIMIT_SECONDS
from contracts.process.outage import duration
from contracts.protocol.configuration.profiles import SEVERAL
from contracts.protocol.run_config import RunConfig
from contracts.wire.runs import ProfileLine, Run
from contracts.wire.states import RunPhase
from trainer.client import ApiClient
from trainer.data.corpora import Corpora
from trainer.data.place import CorpusSettings
from trainer.steps.computable import computable
from trainer.steps.determinism import configure_determinism, profile_of

LEAST_FREE = 2**30
"""Fewest free bytes of disk before a warning."""
PATIENCE_SECONDS = 3.0


class CheckResult(StrEnum):
    """The result of one check."""

    FINE = "fine"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Found:
    """The finding of one check, and its remedy."""

    check: str
    verdict: CheckResult
    says: str
    remedy: str = ""

    def line(self) -> str:
        """A line for people."""
        return f"{self.verdict:<8} {self.check}: {self.says}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class CheckTargets:
    """The parts that are checked; an empty one is skipped."""

    api_url: str
    rpc_url: str
    folder: Path
    deployment: Path | None = None
    keystore: Path | None = None
    run: RunId = NO_RUN
    data: tuple[Path, ...] = ()
    corpus: str = ""

    @cached_property
    def place(self) -> Deployment | None:
        """The deployment of the file, or the server's where no file is given."""
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
        """The key in the keystore."""
        assert self.keystore is not None, "it is asked for where one is given"
        return open_keystore(self.keystore)

    @cached_property
    def config(self) -> RunConfig:
        """The run's configuration, with which its next round opens."""
        return RunConfig.from_json(self.client.read(Run, f"/runs/{self.run}").config)


class Skip(Exception):
    """The check has nothing to look at."""


Result = tuple[CheckResult, str, str]


def check_all(target: CheckTargets) -> Iterator[Found]:
    """Every check in turn. Raises nothing but faults of ours."""
    for name, check in CHECKS.items():
        yield _guarded(name, check, target)


def _guarded(name: str, check: Callable[[CheckTargets], Result], target: CheckTargets) -> Found:
    try:
        return Found(name, *check(target))
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


def _proxy(_target: CheckTargets) -> Result:
    """Nodes and verifiers use no proxy; commands do."""
    proxies = {name: url for name, url in getproxies().items() if name != "no"}
    if not proxies:
        return CheckResult.FINE, "the environment names no proxy", ""
    names = ", ".join(f"{name} by {url}" for name, url in sorted(proxies.items()))
    return (
        CheckResult.WARNING,
        f"commands use a proxy: {names}",
        "nodes and verifiers connect directly: allow that in the firewall",
    )


def _chain(target: CheckTargets) -> Result:
    deployment = target.place
    chain_id = int(target.w3.eth.chain_id)
    if deployment is not None and chain_id != deployment.chain_id:
        says = f"{target.rpc_url} is chain {chain_id}, but the model is on chain {deployment.chain_id}"
        return CheckResult.FAILED, says, "name a node of the model's chain with --rpc-url"
    if deployment is not None and not target.w3.eth.get_code(Web3.to_checksum_address(deployment.model_registry)):
        says = f"chain {chain_id} has no contract of the model"
        return (
            CheckResult.FAILED,
            says,
            "use a node of the model's chain: this one is another chain with the same id, or was started empty",
        )
    return CheckResult.FINE, f"chain {chain_id}, newest block {target.w3.eth.block_number}", ""


def _finality(target: CheckTargets) -> Result:
    newest, final = (int(target.w3.eth.get_block(tag)["number"]) for tag in ("latest", "finalized"))
    return CheckResult.FINE, f"the newest final block is {final}, {newest - final} behind the newest", ""


def _api(target: CheckTargets) -> Result:
    model = target.client.deployment
    if target.deployment is not None and target.place != model:
        return (
            CheckResult.FAILED,
            f"{target.api_url} serves another model, {model.name}",
            "check --api and --deployment",
        )
    return CheckResult.FINE, f"{target.api_url} serves the model {model.name}", ""


def _clock(target: CheckTargets) -> Result:
    ahead = time.time() - int(target.w3.eth.get_block("latest")["timestamp"])
    if ahead < -LIMIT_SECONDS:
        return (
            CheckResult.FAILED,
            f"this machine is {duration(-ahead)} behind the chain's newest block",
            "set the clock, for instance with NTP",
        )
    if ahead > 10 * LIMIT_SECONDS:
        says = f"the chain's newest block is {duration(ahead)} old"
        return (
            CheckResult.WARNING,
            says,
            "if the chain is not idle, this machine's clock is ahead: set it, for instance with NTP",
        )
    return CheckResult.FINE, f"the chain's newest block is {duration(max(0.0, ahead))} old", ""


def _disk(target: CheckTargets) -> Result:
    folder = next(path for path in (target.folder, *target.folder.absolute().parents) if path.is_dir())
    with tempfile.TemporaryFile(dir=folder):
        pass
    free = shutil.disk_usage(folder).free
    says = f"{folder} is writable, and {free / 2**30:.1f} GiB are free"
    if free < LEAST_FREE:
        return CheckResult.WARNING, says, "free some disk: a round keeps states of the model's size"
    return CheckResult.FINE, says, ""


def _key(target: CheckTargets) -> Result:
    if target.keystore is None:
        raise Skip("no --keystore is given")
    says = f"{target.keystore} opens; its address is {target.key.address}"
    if target.keystore.stat().st_mode & 0o077 and os.name == "posix":
        return CheckResult.WARNING, f"{says}; other users of this machine can read the file", "chmod 600 it"
    return CheckResult.FINE, says, ""


def _balance(target: CheckTargets) -> Result:
    if target.keystore is None:
        raise Skip("no --keystore is given")
    wei = int(target.w3.eth.get_balance(target.key.address))
    if wei == 0:
        return (
            CheckResult.WARNING,
            f"{target.key.address} has no coins",
            "a node needs none; a stake or a transaction does",
        )
    return CheckResult.FINE, f"{target.key.address} has {amount(wei, COINS)}", ""


def _verifiers(target: CheckTargets) -> Result:
    if target.place is None:
        raise Skip("no deployment is known")
    registry = VerifierRegistry(target.w3, target.place.verifier_registry)
    names = registry.verifiers()
    k = registry.threshold()
    says = f"{len(names)} verifiers are admitted, and {k} decide together"
    if target.keystore is not None and target.key.address in names:
        says += f"; this key is one of them, with {amount(registry.stake_of(target.key.address), COINS)} staked"
    if len(names) < 2 * k - 1:
        return CheckResult.WARNING, says, f"a round needs {2 * k - 1} verifiers to open: the holders have to admit more"
    return CheckResult.FINE, says, ""


def _run(target: CheckTargets) -> Result:
    if not target.run:
        raise Skip("no --run is given")
    run = target.client.read(Run, f"/runs/{target.run}")
    if run.phase == RunPhase.OVER:
        return CheckResult.FAILED, "the run is over", "choose another run: `commonweight run list`"
    return CheckResult.FINE, f"round {run.round}, {run.phase}", ""


def _corpus(target: CheckTargets) -> Result:
    if not target.run:
        raise Skip("no --run is given")
    place = CorpusSettings(target.data, target.corpus, target.folder / "corpus", loopback=is_loopback(target.api_url))
    corpus = Corpora(place).of(target.config)
    return CheckResult.FINE, f"the text is the run's, {corpus.digest}: {corpus.tokens:,} tokens of {corpus.origin}", ""


def _self_test(target: CheckTargets) -> Result:
    """This machine's profile, and whether a verifier of the run has the same; in a run of several whether one of them
    is read by enough."""
    if target.run and target.config.profile == SEVERAL:
        return _several(target)
    profile = target.config.profile if target.run else "exact"
    digest = to_hex((profile_of(target.config) if target.run else configure_determinism()).digest())
    says = f"this machine computes as profile {digest} ({profile})"
    if not target.run or profile != "exact":
        return CheckResult.FINE, says, ""
    alike = [row for row in target.client.read(Run, f"/runs/{target.run}").verifiers if row.profile == digest]
    if not alike:
        return CheckResult.FAILED, f"{says}, but no verifier of the run has this profile", _OTHER_MACHINE
    return CheckResult.FINE, f"{says}, like {len(alike)} verifiers of the run", ""


def _several(target: CheckTargets) -> Result:
    own = computable(target.config)
    lines = target.client.read_list(ProfileLine, f"/runs/{target.run}/profiles")
    here = [line for line in lines if line.profile in own]
    if not here:
        listed = ", ".join(f"{line.name} {line.profile}" for line in lines)
        return CheckResult.FAILED, f"this machine computes none of the run's profiles ({listed})", _OTHER_MACHINE
    says = "; ".join(f"{line.name} {line.profile}, read by {len(line.verifiers)} of {line.needed}" for line in here)
    if not any(line.is_read for line in here):
        return CheckResult.FAILED, f"this machine computes as {says}: too few verifiers", "wait until more are bound"
    return CheckResult.FINE, f"this machine computes as {says}", ""


_OTHER_MACHINE = "use a machine and a torch version like theirs, or join a run of the portable profile"

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
"""In this order: a check on which others build comes first."""
