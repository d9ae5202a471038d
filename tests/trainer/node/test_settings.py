"""A node's settings from its variables; the deployment is read from the file that one names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from contracts.chain.deployment import Deployment, InvalidDeployment
from contracts.ids import as_address
from contracts.process.setting_errors import InvalidSetting
from tests.verifier.conftest import NOWHERE
from trainer.node.settings import NodeSettings

pytestmark = pytest.mark.unit
PREFIX = "COMMONWEIGHT_NODE_"
ZERO = as_address("0x" + "00" * 20)
PLACE = Deployment(1, 0, "m", "0x" + "00" * 32, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)
GIVEN: dict[str, Any] = {
    "api_url": "https://server.example",
    "rpc_url": "",
    "run": "0x" + "ab" * 32,
    "key": "0x" + "11" * 32,
    "payout": ZERO,
    "folder": Path("node"),
}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    file = tmp_path / "deployment.json"
    file.write_text(PLACE.to_json())
    monkeypatch.setenv(f"{PREFIX}DEPLOYMENT", str(file))
    monkeypatch.setenv(f"{PREFIX}DATA", os.pathsep.join(("a text", "b")))
    monkeypatch.setenv(f"{PREFIX}CANARY_PPM", "20000")
    return monkeypatch


def test_the_deployment_is_read_from_its_file(variables: pytest.MonkeyPatch) -> None:
    settings = NodeSettings(**GIVEN)
    assert settings.deployment == PLACE
    assert (settings.data, settings.canary_ppm) == ((Path("a text"), Path("b")), 20_000)
    assert NodeSettings(**GIVEN, deployment=NOWHERE).deployment is NOWHERE


def test_a_deployment_that_is_none_is_named(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "deployment.json").write_text("[]")
    with pytest.raises(InvalidDeployment, match=r"deployment\.json is not what"):
        NodeSettings(**GIVEN)


def test_a_deployment_that_is_not_there_is_named(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variables.setenv(f"{PREFIX}DEPLOYMENT", str(tmp_path))
    with pytest.raises(InvalidSetting, match=r"deployment \(COMMONWEIGHT_NODE_DEPLOYMENT\) is .* cannot be read"):
        NodeSettings(**GIVEN)
