"""From `commonweight market offer` to a script on the supplier's machine: all commands as processes, on one server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commonweight.keystore import write_keystore
from tests.deployed import key_of, verifier_keys
from tests.service.stage import Stage, staged
from tests.sources import ROOT

pytestmark = pytest.mark.integration


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    (tmp_path / "stage").mkdir()
    with staged(tmp_path / "stage") as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        yield stage


def test_an_idle_machine_is_offered_measured_shown_and_rented(stage: Stage, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    terms = {"--public-url": url, "--port": str(port), "--country": "SE", "--price": "0.3", "--gpu": "4090"}
    more = {"--gpus": "1", "--rent-to": "anybody", "--lend-memory": "16", "--folder": str(tmp_path / "host")}
    host = _begun(stage, tmp_path, "offer", *_words(terms | more), *_key(tmp_path, "supplier", key_of("supplier")))
    try:
        stage.wait("the offer on the list", lambda: stage.client.get("/market/hosts"))
        assert _offers(stage, tmp_path) == [("not measured", None)]
        for number, verifier in enumerate(verifier_keys()[:2]):
            key = _key(tmp_path, f"verifier {number}", verifier)
            (measured,) = _done(stage, tmp_path, "measure", url, "--memory", "16", "--traffic", "1", *key)
            assert measured["report"]["tokens"] > 0, measured["why"]
            assert measured["why"] == ""
        ((kind, signers),) = _offers(stage, tmp_path)
        assert (kind, signers) == ("live", [one.address for one in sorted(verifier_keys()[:2], key=_address)])
        _rent(stage, tmp_path)
    finally:
        host.send_signal(signal.SIGTERM)
        output = host.communicate(timeout=600)
    assert host.returncode == 0, output


def _rent(stage: Stage, folder: Path) -> None:
    script = folder / "script.sh"
    script.write_text("echo it runs; echo $$ > pid; sleep 600 & wait\n")
    terms = {"--budget": "5", "--hours": "1", "--script": str(script), "--look": "1", "--provider": "network"}
    renter = _begun(stage, folder, "rent", *_words(terms), "--folder", str(folder / "market"))
    (pid,) = _until(lambda: list((folder / "host" / "rented").glob("*/home/pid")))
    group = int(_until(pid.read_text))
    renter.send_signal(signal.SIGINT)
    output = renter.communicate(timeout=900)
    assert renter.returncode == 0, output
    _until(lambda: not _is_there(group))


def _offers(stage: Stage, folder: Path) -> list[tuple[str, Any]]:
    words = ("offers", "--provider", "network", "--folder", str(folder / "market"), "--wait", "60")
    found = _done(stage, folder, *words)
    return [(one["kind"], one["measured"] and one["measured"]["signers"]) for one in found]


def _address(account: Any) -> str:
    return str(account.address)


def _key(folder: Path, name: str, account: Any) -> tuple[str, str]:
    file = folder / f"{name}.json"
    write_keystore(file, bytes(account.key), "secret", iterations=1_000)
    return "--keystore", str(file)


def _words(options: dict[str, str]) -> list[str]:
    return [word for pair in options.items() for word in pair]


def _command(stage: Stage, folder: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    deployment = folder / "deployment.json"
    deployment.write_text(stage.deployment.to_json())
    own = {
        "PYTHONPATH": str(ROOT),
        "COMMONWEIGHT_HOME": str(folder / "home"),
        "COMMONWEIGHT_API": stage.api,
        "COMMONWEIGHT_PASSPHRASE": "secret",
        "COMMONWEIGHT_MARKET_NETWORK_URL": stage.api,
        "COMMONWEIGHT_MARKET_NETWORK_DEPLOYMENT": str(deployment),
        "COMMONWEIGHT_MARKET_NETWORK_RPC_URL": stage.rpc,
    }
    trust = ["--deployment", str(deployment), "--rpc-url", stage.rpc] if words[0] in ("offer", "measure") else []
    return [sys.executable, "-m", "commonweight", "market", *words, *trust, "--json"], os.environ | own


def _begun(stage: Stage, folder: Path, *words: str) -> subprocess.Popen[str]:
    command, own = _command(stage, folder, *words)
    return subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _done(stage: Stage, folder: Path, *words: str) -> list[dict[str, Any]]:
    command, own = _command(stage, folder, *words)
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def _until(ready: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)
    return found


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
