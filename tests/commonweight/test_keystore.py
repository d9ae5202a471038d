"""Keystores: the standard format, mode 0600, never overwritten, and a clear refusal when one does not open."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from commonweight.keystore import FILE_VARIABLE, PASSPHRASE_VARIABLE, KeystoreRefused, open_keystore, write_keystore
from tests.commonweight.conftest import PASSPHRASE, Command

pytestmark = pytest.mark.unit


def test_a_new_key_is_a_keystore_v3_that_the_library_opens(commonweight: Command, tmp_path: Path) -> None:
    path = tmp_path / "made" / "key.json"
    said = commonweight("keys", "new", "--out", path, "--json")
    assert said.status == 0
    answer = json.loads(said.out)
    assert answer["keystore"] == str(path)
    content = json.loads(path.read_text())
    assert content["version"] == 3
    assert content["crypto"]["kdf"] == "scrypt"
    assert content["crypto"]["kdfparams"]["n"] >= 2**17
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Account.from_key(Account.decrypt(content, PASSPHRASE)).address == answer["address"]


def test_address_prints_the_address_and_nothing_else(commonweight: Command, keystore: Path) -> None:
    said = commonweight("keys", "address", keystore)
    assert (said.status, said.out) == (0, Account.from_key(b"\x11" * 32).address + "\n")


def test_a_key_is_never_overwritten(commonweight: Command, keystore: Path) -> None:
    before = keystore.read_bytes()
    said = commonweight("keys", "new", "--out", keystore)
    assert said.status == 1
    assert said.err.startswith("keystore-refused: ")
    assert keystore.read_bytes() == before


def test_a_key_is_not_written_through_a_dangling_link(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(KeystoreRefused):
        write_keystore(link, b"\x11" * 32, PASSPHRASE, iterations=1)
    assert not (tmp_path / "elsewhere.json").exists()


def test_a_wrong_passphrase_is_one_line_with_its_code(
    commonweight: Command, keystore: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "wrong")
    said = commonweight("keys", "address", keystore)
    assert said.status == 1
    assert said.out == ""
    assert said.err.startswith(f"keystore-refused: {keystore} does not open")
    assert said.err.count("\n") == 1


BROKEN = {
    "empty": b"",
    "not-json": b"key",
    "not-text": b"\xff\xfe\x00",
    "a-list": b"[]",
    "a-number": b"3",
    "no-crypto": b'{"version": 3}',
    "version-2": b'{"version": 2, "crypto": {}}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_keystore_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    path = tmp_path / "broken.json"
    path.write_bytes(BROKEN[name])
    with pytest.raises(KeystoreRefused, match="is not a keystore"):
        open_keystore(path)


def test_a_flipped_bit_is_refused(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    content = json.loads(keystore.read_text())
    content["crypto"]["ciphertext"] = f"{int(content['crypto']['ciphertext'], 16) ^ 1:064x}"
    keystore.write_text(json.dumps(content))
    with pytest.raises(KeystoreRefused):
        open_keystore(keystore)


@pytest.mark.parametrize("place", ["missing.json", "."])
def test_a_keystore_that_is_not_there_says_how_to_make_one(tmp_path: Path, place: str) -> None:
    with pytest.raises(KeystoreRefused, match="commonweight keys new"):
        open_keystore(tmp_path / place)


def test_the_passphrase_may_lie_in_a_file(
    keystore: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commonweight: Command
) -> None:
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    (tmp_path / "passphrase").write_text(f"{PASSPHRASE}\n")
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "passphrase"))
    address = Account.from_key(b"\x11" * 32).address
    assert commonweight("keys", "address", keystore).out == f"{address}\n"
    made = json.loads(commonweight("keys", "new", "--out", tmp_path / "new.json", "--json").out)
    assert open_keystore(tmp_path / "new.json").address == made["address"]


def test_a_given_passphrase_comes_before_the_file(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    monkeypatch.setenv(FILE_VARIABLE, "/nowhere")
    assert open_keystore(keystore).address == Account.from_key(b"\x11" * 32).address


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "no-text"])
def test_a_passphrase_file_that_cannot_be_read_is_named(
    keystore: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "file"))
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(KeystoreRefused, match=f"{FILE_VARIABLE} names .*file, which cannot be read"):
        open_keystore(keystore)


@pytest.mark.parametrize("words", [("address", "{key}"), ("new", "--out", "{new}")], ids=["address", "new"])
def test_without_a_terminal_to_ask_at_it_is_one_line(keystore: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COMMONWEIGHT_PASS")}
    said = subprocess.run(
        [sys.executable, "-m", "commonweight", "keys", *(w.format(key=keystore, new=tmp_path / "new") for w in words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=clean,
        check=False,
        start_new_session=True,
    )
    assert said.returncode == 1
    assert "keystore-refused: no passphrase for " in said.stderr
    assert said.stderr.splitlines()[-1].endswith(f"set {FILE_VARIABLE}")
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "new").exists()


def test_a_nest_of_brackets_ends_no_process(tmp_path: Path) -> None:
    """py_ecc raises the limit of recursion: JSON's decoder then runs to the end of the stack."""
    (tmp_path / "deep.json").write_bytes(b"[" * 100_000)
    said = subprocess.run(
        [sys.executable, "-m", "commonweight", "keys", "address", str(tmp_path / "deep.json")],
        env=os.environ | {PASSPHRASE_VARIABLE: PASSPHRASE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr.split(":")[0]) == (1, "keystore-refused")
