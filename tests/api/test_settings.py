"""A server's settings from its variables: one a field, the key by file, and each kind of bad value named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.settings import ServerSettings
from contracts.process.setting_errors import InvalidSetting, MissingSetting
from tests.sources import ROOT

pytestmark = pytest.mark.unit
PREFIX = "COMMONWEIGHT_SERVER_"
KEY = "0x" + "11" * 32
GIVEN: dict[str, Any] = {
    "rpc_url": "http://chain:8545",
    "deployment": Path("d e/deployment.json"),
    "operator_key": KEY,
    "database_url": "sqlite:///ledger.db",
    "blobs": Path("blobs"),
    "max_blob_bytes": 7,
    "keeper": False,
    "max_fee_per_gas": 8,
    "replace_seconds": 9,
    "attempts": 2,
    "lease_seconds": 3,
    "proposal_ppm": 0,
    "ballot_ppm": 1_000_000,
    "account_gas": 0,
    "daily_gas": 5,
    "accept_lost_end": True,
    "other_rpc_urls": ("http://b:1", "https://c"),
    "finality_depth": 12,
    "allow_origins": ("*",),
}
"""No field as its default is."""
TEXTS = {
    "keeper": "false",
    "accept_lost_end": "true",
    "other_rpc_urls": "http://b:1  https://c",
    "allow_origins": '["*"]',
}
CHILD = (
    "import json; from api.settings import ServerSettings as S; s = S.from_environment();"
    "print(json.dumps([s.operator_key, s.model_dump_json(exclude={'operator_key'})]))"
)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "operator.key"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, key_file: Path) -> pytest.MonkeyPatch:
    """Every setting by its variable."""
    for name, value in GIVEN.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", TEXTS.get(name, str(value)))
    monkeypatch.delenv(f"{PREFIX}OPERATOR_KEY")
    monkeypatch.setenv(f"{PREFIX}OPERATOR_KEY_FILE", str(key_file))
    return monkeypatch


def test_every_field_has_a_variable(variables: pytest.MonkeyPatch) -> None:
    assert set(GIVEN) == set(ServerSettings.model_fields)
    assert {name for name, f in ServerSettings.model_fields.items() if f.default == GIVEN[name]} == set()
    assert ServerSettings.from_environment() == ServerSettings(**GIVEN)


def test_a_callers_value_goes_before_a_variable(variables: pytest.MonkeyPatch) -> None:
    assert ServerSettings(**GIVEN | {"daily_gas": 6, "operator_key": "0x" + "22" * 32}).daily_gas == 6


def test_an_empty_variable_is_not_set(variables: pytest.MonkeyPatch) -> None:
    variables.setenv(f"{PREFIX}FINALITY_DEPTH", "")
    assert ServerSettings.from_environment().finality_depth is None


def test_what_is_missing_is_named_all_at_once() -> None:
    with pytest.raises(MissingSetting) as refusal:
        ServerSettings.from_environment()
    for name in ("RPC_URL", "DEPLOYMENT", "OPERATOR_KEY_FILE", "DATABASE_URL", "BLOBS"):
        assert f"{PREFIX}{name}" in refusal.value.detail
    assert refusal.value.code == "missing-setting"


BAD = {
    "rpc_url": ("chain:8545", "is not an address"),
    "other_rpc_urls": ("http://a ftp://b", "is not an address"),
    "attempts": ("eight", "valid integer"),
    "max_blob_bytes": ("0", "greater than or equal to 1"),
    "finality_depth": ("-1", "greater than or equal to 1"),
    "proposal_ppm": ("1000001", "less than or equal to 1000000"),
    "daily_gas": ("-1", "greater than or equal to 0"),
    "keeper": ("perhaps", "valid boolean"),
    "allow_origins": ('["*"', "delimiter"),
}


@pytest.mark.parametrize("field", BAD)
def test_a_bad_value_is_named_with_its_variable(field: str, variables: pytest.MonkeyPatch) -> None:
    value, words = BAD[field]
    variables.setenv(f"{PREFIX}{field.upper()}", value)
    with pytest.raises(InvalidSetting, match=words) as refusal:
        ServerSettings.from_environment()
    assert refusal.value.detail.startswith(f"{field} ({PREFIX}{field.upper()}) is ")
    assert KEY[2:] not in refusal.value.detail
    assert refusal.value.code == "invalid-setting"


def test_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(InvalidSetting, match="dayly_gas is no setting"):
        ServerSettings(**GIVEN | {"dayly_gas": 5})


def test_settings_in_one_variable_are_read_no_more(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("COMMONWEIGHT_SERVER", json.dumps({"operator_key": KEY}))
    with pytest.raises(MissingSetting, match="a variable for each field"):
        ServerSettings.from_environment()


def test_a_deployment_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = ServerSettings(**GIVEN | {"deployment": tmp_path / "none.json"})
    with pytest.raises(InvalidSetting, match=r"deployment \(COMMONWEIGHT_SERVER_DEPLOYMENT\) cannot be read"):
        create_app(settings)


# ---- the key


@pytest.mark.parametrize("name", [f"{PREFIX}OPERATOR_KEY", f"{PREFIX}OPERATOR_KEY".lower()])
def test_a_key_in_the_environment_is_refused(name: str, variables: pytest.MonkeyPatch) -> None:
    variables.setenv(name, KEY)
    with pytest.raises(InvalidSetting, match=f"name that in {PREFIX}OPERATOR_KEY_FILE") as refusal:
        ServerSettings.from_environment()
    assert KEY[2:] not in refusal.value.detail


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_use_is_refused(mode: int, variables: pytest.MonkeyPatch, key_file: Path) -> None:
    key_file.chmod(mode)
    with pytest.raises(InvalidSetting, match=f"mode {mode:04o}.*chmod 600"):
        ServerSettings.from_environment()


@pytest.mark.parametrize("content", [b"", b"11" * 31, KEY.encode() + b" " + KEY.encode(), b"\xff\xfe", b"{}"])
def test_a_file_that_holds_no_key_is_refused(content: bytes, variables: pytest.MonkeyPatch, key_file: Path) -> None:
    key_file.write_bytes(content)
    with pytest.raises(InvalidSetting, match="OPERATOR_KEY_FILE names") as refusal:
        ServerSettings.from_environment()
    assert KEY[2:] not in refusal.value.detail


def test_a_file_that_is_not_there_is_named(variables: pytest.MonkeyPatch, key_file: Path) -> None:
    key_file.unlink()
    with pytest.raises(InvalidSetting, match=f"names {key_file}, which cannot be read"):
        ServerSettings.from_environment()


def test_nobody_is_shown_the_key() -> None:
    assert KEY[2:] not in repr(ServerSettings(**GIVEN))
    with pytest.raises(InvalidSetting, match="valid string") as refusal:
        ServerSettings(**GIVEN | {"operator_key": int(KEY, 16)})
    assert str(int(KEY, 16)) not in refusal.value.detail


def test_another_process_reads_the_same_and_its_key_file_goes() -> None:
    settings = ServerSettings(**GIVEN)
    with settings.handed_on() as handed:
        path = Path(handed[f"{PREFIX}OPERATOR_KEY_FILE"])
        assert path.stat().st_mode & 0o777 == 0o600
        assert KEY[2:] not in json.dumps(handed)
        environment = os.environ | handed
        done = subprocess.run(
            [sys.executable, "-c", CHILD], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    assert json.loads(done.stdout) == [KEY, settings.model_dump_json(exclude={"operator_key"})]
    assert not path.exists()
    assert not path.parent.exists()


def test_the_key_file_goes_also_where_the_process_fails() -> None:
    seen: list[Path] = []

    def start() -> None:
        with ServerSettings(**GIVEN).handed_on() as handed:
            seen.append(Path(handed[f"{PREFIX}OPERATOR_KEY_FILE"]))
            raise RuntimeError("it did not start")

    with pytest.raises(RuntimeError, match="did not start"):
        start()
    assert not seen[0].exists()
