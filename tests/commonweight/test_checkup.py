"""What `commonweight check` finds wrong, one thing at a time, and what it says to do about it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_account import Account

from commonweight import checkup
from commonweight.checkup import CHECKS, CheckResult, CheckTargets, Found, check_all
from commonweight.demo.processes import free_port
from commonweight.keystore import write_keystore
from contracts.protocol.run_config import RunConfig
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.verifier.conftest import NOWHERE
from trainer.data.text import default_corpus
from trainer.steps.determinism import configure_determinism

pytestmark = pytest.mark.integration
KEY = Account.from_key(b"\1" * 32)
NOW = 1_800_000_000


def chain(**changes: Any) -> Any:
    blocks = {"latest": {"number": 10, "timestamp": NOW}, "finalized": {"number": 7, "timestamp": NOW}}
    calls = {"chain_id": NOWHERE.chain_id, "block_number": 10, "get_block": blocks.__getitem__}
    calls |= {"get_code": lambda _address: b"\1", "get_balance": lambda _address: 10**18}
    return SimpleNamespace(eth=SimpleNamespace(**{**calls, **changes}))


def asked(tmp_path: Path, **changes: Any) -> Any:
    client = SimpleNamespace(deployment=NOWHERE, read=lambda _kind, _path: changes.get("shown"))
    config = RunConfig(corpus_digest=default_corpus().digest)
    made = {
        "api_url": "http://api",
        "rpc_url": "http://rpc",
        "folder": tmp_path,
        "deployment": None,
        "keystore": None,
        "run": "",
        "data": (),
        "corpus": "",
        "place": NOWHERE,
        "w3": chain(),
        "client": client,
        "key": KEY,
        "config": config,
    }
    return SimpleNamespace(**{**made, **changes})


def found(check: str, given: Any) -> Found:
    return checkup._guarded(check, CHECKS[check], given)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonweight.checkup.time.time", lambda: float(NOW))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("check", ["proxy", "api", "chain", "finality", "clock", "disk", "self-test"])
def test_what_is_in_order_is_fine(check: str, tmp_path: Path) -> None:
    assert found(check, asked(tmp_path)).verdict is CheckResult.FINE


def test_a_proxy_of_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    said = found("proxy", asked(tmp_path))
    assert said.verdict is CheckResult.WARNING
    assert "https by http://proxy:3128" in said.says


@pytest.mark.parametrize(
    ("check", "changes", "verdict", "words"),
    [
        ("chain", {"w3": chain(chain_id=5)}, CheckResult.FAILED, "is chain 5, but the model is on chain 1"),
        ("chain", {"w3": chain(get_code=lambda _: b"")}, CheckResult.FAILED, "has no contract of the model"),
        ("chain", {"w3": chain(get_code=1)}, None, ""),
        ("balance", {"keystore": Path("k"), "w3": chain(get_balance=lambda _: 0)}, CheckResult.WARNING, "has no coins"),
        ("balance", {"keystore": Path("k")}, CheckResult.FINE, "has 1 coins"),
        ("key", {}, CheckResult.SKIPPED, "no --keystore"),
        ("run", {}, CheckResult.SKIPPED, "no --run"),
        ("run", {"run": "0x1", "shown": SimpleNamespace(phase="over", round=3)}, CheckResult.FAILED, "is over"),
        (
            "run",
            {"run": "0x1", "shown": SimpleNamespace(phase="training", round=3)},
            CheckResult.FINE,
            "round 3, training",
        ),
        ("corpus", {"run": "0x1"}, CheckResult.FINE, "the text is the run's"),
        ("corpus", {"run": "0x1", "config": RunConfig(corpus_digest="00" * 32)}, CheckResult.FAILED, "trains on"),
        (
            "self-test",
            {"run": "0x1", "shown": SimpleNamespace(verifiers=[])},
            CheckResult.FAILED,
            "no verifier of the run has this profile",
        ),
    ],
)
def test_what_is_wrong_is_named(
    check: str, changes: dict[str, Any], verdict: CheckResult | None, words: str, tmp_path: Path
) -> None:
    if verdict is None:  # a fault of ours is not told as one of the user's
        with pytest.raises(TypeError):
            found(check, asked(tmp_path, **changes))
        return
    said = found(check, asked(tmp_path, **changes))
    assert said.verdict is verdict, said
    assert words in said.says
    assert said.remedy or verdict in (CheckResult.FINE, CheckResult.SKIPPED)


def test_a_verifier_that_computes_alike_is_found(tmp_path: Path) -> None:
    mine = "0x" + configure_determinism("exact").digest().hex()
    shown = SimpleNamespace(verifiers=[SimpleNamespace(profile=mine), SimpleNamespace(profile="0x")])
    said = found("self-test", asked(tmp_path, run="0x1", shown=shown))
    assert said.verdict is CheckResult.FINE
    assert "like 1 verifiers of the run" in said.says


@pytest.mark.parametrize(
    ("off", "verdict"), [(-3600, CheckResult.FAILED), (3600, CheckResult.WARNING), (5, CheckResult.FINE)]
)
def test_a_clock_that_is_off_is_named(
    off: int, verdict: CheckResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commonweight.checkup.time.time", lambda: float(NOW + off))
    assert found("clock", asked(tmp_path)).verdict is verdict


def test_another_model_behind_the_address_is_named(tmp_path: Path) -> None:
    other = SimpleNamespace(deployment=replace(NOWHERE, name="other"))
    said = found("api", asked(tmp_path, deployment=tmp_path, client=other))
    assert (said.verdict, "serves another model, other" in said.says) == (CheckResult.FAILED, True)


def test_a_key_that_others_can_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMONWEIGHT_PASSPHRASE", PASSPHRASE)
    path = tmp_path / "key.json"
    write_keystore(path, bytes(KEY.key), PASSPHRASE, iterations=1)
    assert found("key", asked(tmp_path, keystore=path)).verdict is CheckResult.FINE
    path.chmod(0o644)
    assert found("key", asked(tmp_path, keystore=path)).verdict is CheckResult.WARNING


def test_a_full_disk_and_one_that_cannot_be_written_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonweight.checkup.shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    assert found("disk", asked(tmp_path)).verdict is CheckResult.WARNING
    assert found("disk", asked(Path("/proc/1"))).verdict is CheckResult.FAILED


def test_nothing_at_hand_is_told_check_by_check(commonweight: Command, tmp_path: Path) -> None:
    """With no server, no chain and no key: every check has its line, and the status is 1."""
    away = f"http://127.0.0.1:{free_port()}"
    said = commonweight("check", "--api", away, "--rpc-url", away, "--folder", tmp_path)
    assert said.status == 1
    assert [line.split(":")[0].split()[1] for line in said.out.splitlines()] == list(CHECKS)
    assert "failed   chain: " in said.out
    assert "Traceback" not in said.err
    scripted = commonweight("check", "--api", away, "--rpc-url", away, "--folder", tmp_path, "--json")
    assert (scripted.status, [one["check"] for one in scripted.objects]) == (1, list(CHECKS))


def test_checks_are_all_made(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    assert [one.check for one in check_all(CheckTargets(away, away, tmp_path))] == list(CHECKS)
    assert time.time() == NOW
