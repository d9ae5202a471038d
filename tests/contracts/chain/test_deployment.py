"""A deployment file that an editor, a download or a stranger spoilt is refused by name, whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.chain.deployment import Deployment, InvalidDeployment

pytestmark = pytest.mark.unit

WHOLE: dict[str, Any] = {
    "chain_id": 31337,
    "block": 29,
    "name": "T",
    "model": f"0x{'4b' * 32}",
    "deployer": f"0x{'10' * 20}",
    "token": f"0x{'11' * 20}",
    "timelock": f"0x{'12' * 20}",
    "governor": f"0x{'13' * 20}",
    "verifier_registry": f"0x{'14' * 20}",
    "distributor": f"0x{'15' * 20}",
    "splitter": f"0x{'16' * 20}",
    "model_registry": f"0x{'17' * 20}",
    "pool": "",
    "log": "key",
    "mirrors": ["0x1 http://m"],
    "creations": [],
}
SPOILT = {
    "empty": b"",
    "no-text": b"\xff\xfe\x00\x80",
    "utf-16": json.dumps(WHOLE).encode("utf-16"),
    "cut": json.dumps(WHOLE).encode()[:-9],
    "a-list": b"[]",
    "deep": b"[" * 100_000,
    "digits": b'{"block": ' + b"9" * 5_000 + b"}",
}
ODD = {
    "chain_id": "31337",
    "block": 1.5,
    "name": 5,
    "model": "0x12",
    "token": f"0x{'Ab' * 20}",
    "pool": None,
    "log": 5,
    "mirrors": ["http://m"],
    "creations": 5,
    "more": 1,
}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_what_was_written_is_read(tmp_path: Path, mark: bytes, end: str) -> None:
    written = Deployment.from_mapping(WHOLE)
    (tmp_path / "d.json").write_bytes(mark + written.to_json().replace("\n", end).encode())
    assert Deployment.of_file(tmp_path / "d.json") == written


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_file_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "spoilt.json").write_bytes(SPOILT[name])
    with pytest.raises(InvalidDeployment, match=r"spoilt\.json is "):
        Deployment.of_file(tmp_path / "spoilt.json")


@pytest.mark.parametrize("field", ODD)
def test_an_odd_field_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(InvalidDeployment, match=field):
        Deployment.from_mapping(WHOLE | {field: ODD[field]})


def test_a_missing_field_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidDeployment, match="splitter"):
        Deployment.from_mapping({name: value for name, value in WHOLE.items() if name != "splitter"})
