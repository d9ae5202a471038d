"""Ed25519 keys and their text."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import CommonweightError
from contracts.tlog.keys import (
    _SMALL_ORDER,
    MAX_NAME,
    BadLogSignature,
    InvalidLogKey,
    SignatureType,
    SigningKey,
    VerifierKey,
    backend_hash,
    check_public,
    parse_vkey,
)
from tests.contracts.tlog.vectors import ARCHE_WITNESSES, EXAMPLE_KEY, GO_DATABASE_KEY, PETER_KEY, PETER_SECRET, secret

pytestmark = pytest.mark.unit

PRIME = 2**255 - 19
PUBLISHED = [EXAMPLE_KEY, PETER_KEY, GO_DATABASE_KEY, *ARCHE_WITNESSES.values()]


@pytest.mark.parametrize("vkey", PUBLISHED)
def test_published_keys_round_trip(vkey: str) -> None:
    assert parse_vkey(vkey).vkey() == vkey


def test_the_example_of_the_specification_is_read() -> None:
    key = parse_vkey(EXAMPLE_KEY)
    assert (key.name, key.kind, key.key_id.hex()) == ("example.com/foo", SignatureType.NOTE, "530d903a")


def test_one_key_has_another_id_for_each_name_and_type() -> None:
    keys = [secret("a").verifier(name, kind) for name in ("a", "b") for kind in SignatureType]
    assert len({key.key_id for key in keys}) == 4


@given(st.binary(min_size=32, max_size=32), st.text(min_size=1, max_size=20), st.sampled_from(SignatureType))
def test_vkeys_round_trip(seed: bytes, name: str, kind: SignatureType) -> None:
    try:
        key = SigningKey(seed).verifier(name, kind)
    except InvalidLogKey:  # not a name
        return
    assert parse_vkey(key.vkey()) == key


@given(st.data())
def test_a_changed_vkey_is_refused(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(PUBLISHED))
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda found: found != text[at]))
    with pytest.raises(InvalidLogKey):
        parse_vkey(text[:at] + letter + text[at + 1 :])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        "PeterNeumann+C74F20A3+" + PETER_KEY.split("+", 2)[2],
        "PeterNeumann+c74f20a4+" + PETER_KEY.split("+", 2)[2],
        "Peter Neumann+c74f20a3+" + PETER_KEY.split("+", 2)[2],
        PETER_KEY[:-4],
        PETER_KEY + "\n",
        "x" * 5000,
    ],
)
def test_malformed_vkeys_are_refused(vkey: str) -> None:
    with pytest.raises(InvalidLogKey):
        parse_vkey(vkey)


@pytest.mark.parametrize("kind", [0x00, 0x02, 0x05, 0x06, 0xFF])
def test_a_key_of_another_type_is_refused(kind: int) -> None:
    typed = bytes([kind]) + secret("a").public
    key_id = hashlib.sha256(b"name\n" + typed).digest()[:4].hex()
    with pytest.raises(InvalidLogKey, match="signature type"):
        parse_vkey(f"name+{key_id}+{base64.b64encode(typed).decode()}")


def test_a_name_beyond_the_limit_is_refused() -> None:
    assert parse_vkey(secret("a").verifier("n" * MAX_NAME, SignatureType.NOTE).vkey())
    with pytest.raises(InvalidLogKey, match="at most"):
        secret("a").verifier("n" * (MAX_NAME + 1), SignatureType.NOTE)


def test_the_go_key_pair_is_one_pair() -> None:
    assert SigningKey(base64.b64decode(PETER_SECRET)[1:]).public == parse_vkey(PETER_KEY).public


def test_all_points_of_small_order_are_refused() -> None:
    """Adding such a point to itself seven times gives the neutral one; the eight points have five different y."""
    assert len(_SMALL_ORDER) == 5
    for y in _SMALL_ORDER:
        point = (_x_of(y), y)
        doubled = _doubled(_doubled(_doubled(point)))
        assert doubled == (0, 1)
        for sign in (0, 1):
            with pytest.raises(InvalidLogKey, match="anybody"):
                check_public((y | sign << 255).to_bytes(32, "little"))


def test_a_second_encoding_of_a_point_is_refused() -> None:
    with pytest.raises(InvalidLogKey, match="only encoding"):
        check_public((PRIME + 3).to_bytes(32, "little"))


def test_a_key_that_is_no_point_is_refused() -> None:
    with pytest.raises(InvalidLogKey, match="no point"):
        check_public((2).to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(InvalidLogKey):
        check_public(bytes(length))
    with pytest.raises(InvalidLogKey):
        SigningKey(bytes(length))


@given(st.binary(max_size=50), st.integers(0, 63), st.integers(1, 255))
def test_only_the_signature_itself_holds(message: bytes, at: int, flip: int) -> None:
    key = secret("a")
    signature = bytearray(key.sign(message))
    verifier = key.verifier("a", SignatureType.NOTE)
    verifier.check(bytes(signature), message)
    with pytest.raises(BadLogSignature):
        verifier.check(bytes(signature), message + b"x")
    signature[at] ^= flip
    with pytest.raises(BadLogSignature):
        verifier.check(bytes(signature), message)


def test_a_signature_has_no_second_form() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signature = secret("a").sign(b"m")
    second = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    with pytest.raises(BadLogSignature):
        secret("a").verifier("a", SignatureType.NOTE).check(second, b"m")


def test_keys_are_derived_by_purpose_and_secret() -> None:
    made = {SigningKey.derive(bytes(31) + last, purpose).seed for last in (b"a", b"b") for purpose in ("x", "y")}
    assert len(made) == 4
    assert SigningKey.derive(bytes(32), "x") == SigningKey.derive(bytes(32), "x")
    with pytest.raises(InvalidLogKey):
        SigningKey.derive(bytes(31), "x")


def test_generated_keys_differ_and_are_not_shown() -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    assert first != second
    assert first.seed.hex() not in repr(first)
    assert repr(first) == repr(second)


def test_a_saved_key_is_loaded_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mirror.key"
    secret("a").save(path)
    assert SigningKey.load(path) == secret("a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(InvalidLogKey, match="cannot write"):
        secret("b").save(path)
    assert SigningKey.load(path) == secret("a")


def test_a_missing_or_longer_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidLogKey, match="cannot read"):
        SigningKey.load(tmp_path / "none")
    (tmp_path / "long").write_bytes(bytes(33))
    with pytest.raises(InvalidLogKey, match="32 bytes"):
        SigningKey.load(tmp_path / "long")


def test_a_backend_is_named_by_the_hash_of_its_key() -> None:
    assert backend_hash(secret("a").public) == hashlib.sha256(secret("a").public).hexdigest()


def test_errors_have_codes_of_their_own() -> None:
    kinds: list[type[CommonweightError]] = [InvalidLogKey, BadLogSignature]
    assert [(kind.code, kind.status) for kind in kinds] == [("invalid-log-key", 422), ("bad-log-signature", 401)]


def test_a_verifier_key_checks_its_public_key() -> None:
    with pytest.raises(InvalidLogKey):
        VerifierKey("a", SignatureType.NOTE, bytes(32))


def _x_of(y: int) -> int:
    curve = -121665 * pow(121666, -1, PRIME)
    square = (y * y - 1) * pow(curve * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    x = x if x * x % PRIME == square else x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    assert x * x % PRIME == square
    return x


def _doubled(point: tuple[int, int]) -> tuple[int, int]:
    """Twice a point of the curve -x² + y² = 1 + dx²y²."""
    x, y = point
    part = -121665 * pow(121666, -1, PRIME) * x * x * y * y
    return (
        2 * x * y * pow(1 + part, -1, PRIME) % PRIME,
        (y * y + x * x) * pow(1 - part, -1, PRIME) % PRIME,
    )
