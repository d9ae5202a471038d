"""Clients that others' tools make of /openapi.json compile, and submit a message, claim and vote with it.

Each asks for the typed data of what it signs, and signs where it is what it meant.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import bare_app
from contracts.ids import to_hex
from tests.deployed import PARAMS
from tests.house import House
from tests.service.stage import address_of, halt

pytestmark = pytest.mark.integration
FOLDER = Path(__file__).parent
ENVIRONMENT = FOLDER / ".python-client"
CONFIG = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "module": "nodenext",
        "target": "es2022",
        "skipLibCheck": True,
        "types": ["node"],
        "typeRoots": ["node_modules/@types"],
        "outDir": "out",
    },
    "files": ["client.ts"],
}


@dataclass(frozen=True)
class Place:
    """A house, and the address of its server."""

    house: House
    api: str


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Epoch 1 is final, one of two holders has claimed, and a proposal is voted on; on a port of loopback."""
    with House(tmp_path / "house") as house:
        house.start(rounds=3)
        house.play_round()
        house.settle_epoch(1)
        house.claim(house.wallets[0].address)
        house.wait(2)
        server = uvicorn.Server(uvicorn.Config(house.app, port=0, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield Place(house, address_of(server))
        finally:
            halt(server, thread)


def question(place: Place) -> dict[str, Any]:
    """Where, and with which keys."""
    house = place.house
    holder, other, node = *house.wallets[:2], house.run.nodes[1]
    proposal = house.propose(holder, "Halve the rate", [("inner_lr", "0.0005")])
    house.wait(PARAMS.voting_delay + 1)
    return {
        "url": place.api,
        "node": {"key": key(node), "run": to_hex(house.run.run), "address": node.address, "nonce": "9"},
        "claim": {"epoch": 1, "account": other.address},
        "vote": {"key": key(holder), "proposal": proposal, "voter": holder.address},
    }


def key(account: Any) -> str:
    return to_hex(bytes(account.key))


def check(house: House, said: dict[str, Any], asked: dict[str, Any]) -> None:
    """What the client was told is what the server has: an entry, a mint, a vote."""
    entry = json.loads(house.get("/log/entries", start=said["entered"]["index"], limit=1)["entries"][0]["body"])
    assert (entry["kind"], entry["message"]["node"]) == ("leave", asked["node"]["address"])
    assert said["ballot"] == {"voter": asked["vote"]["voter"], "ballot": "taken"}
    assert said["total"] == house.get("/epochs")[0]["total"]
    house.step(3)
    assert house.ledger.chain.token.balance_of(asked["claim"]["account"]) > 0
    assert house.ledger.chain.governor.has_voted(int(asked["vote"]["proposal"]), asked["vote"]["voter"])
    (mint,) = house.get("/transactions", call=said["queued"]["transactions"])
    assert mint["state"] in ("mined", "final")


def run(folder: Path, *words: str, question: Any = None) -> str:
    """A tool's output; its words where it fails. What the Python client's generator runs lies beside it."""
    text = None if question is None else json.dumps(question)
    path = os.pathsep.join((str(ENVIRONMENT / "bin"), os.environ["PATH"]))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PATH": path}
    done = subprocess.run(words, cwd=folder, input=text, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.needs_node("tests/cross")
def test_a_client_of_openapi_typescript_compiles_and_votes(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "typescript"
    folder.mkdir()
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "openapi.json").write_text(json.dumps(bare_app().openapi()))
    (folder / "tsconfig.json").write_text(json.dumps(CONFIG))
    (folder / "client.ts").write_text((FOLDER / "client.ts").read_text())
    run(folder, "node_modules/.bin/openapi-typescript", "openapi.json", "--output", "openapi.d.ts")
    run(folder, "node_modules/.bin/tsc", "--project", ".")
    asked = question(place)
    check(place.house, json.loads(run(folder, "node", "out/client.js", question=asked)), asked)


@pytest.mark.long
@pytest.mark.skipif(not ENVIRONMENT.is_dir(), reason="needs the environment of `make openapi-clients`")
def test_a_client_of_openapi_python_client_compiles_and_votes(place: Place, tmp_path: Path) -> None:
    binaries = ENVIRONMENT / "bin"
    (tmp_path / "openapi.json").write_text(json.dumps(bare_app().openapi()))
    (tmp_path / "config.yml").write_text("package_name_override: commonweight_client\n")
    words = ("generate", "--path", "openapi.json", "--output-path", "commonweight_client", "--meta", "none")
    run(tmp_path, str(binaries / "openapi-python-client"), *words, "--config", "config.yml", "--fail-on-warning")
    (tmp_path / "client.py").write_text((FOLDER / "client.py").read_text())
    run(tmp_path, str(binaries / "python"), "-m", "compileall", "-q", "commonweight_client")
    asked = question(place)
    check(place.house, json.loads(run(tmp_path, str(binaries / "python"), "client.py", question=asked)), asked)
