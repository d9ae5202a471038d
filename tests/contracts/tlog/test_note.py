"""Signed notes: published ones, round trips, and what is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import CommonweightError
from contracts.tlog.keys import BadLogSignature, SignatureType, SigningKey, parse_vkey
from contracts.tlog.note import (
    MAX_NOTE,
    MAX_SIGNATURES,
    InvalidNote,
    NoteNotSigned,
    NoteSignature,
    SignedNote,
    format_signatures,
    parse_note,
    parse_signatures,
    sign_note,
    verify_note,
)
from tests.contracts.tlog.vectors import (
    ADD_CHECKPOINT,
    ARCHE,
    EXAMPLE_KEY,
    EXAMPLE_NOTE,
    MIRROR_ANSWER,
    PETER_KEY,
    PETER_NOTE,
    PETER_SECRET,
    POEM,
    SOFA,
    log_key,
    secret,
)

pytestmark = pytest.mark.unit

LINE = "— a.example QUJDREVG\n"
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10).filter(
    lambda name: "+" not in name and not any(c.isspace() or c < " " for c in name)
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n"), max_size=60).map(
    lambda text: "".join(c for c in text if c >= " " or c == "\n") + "\n"
)
SIGNATURES = st.builds(NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))
NOTES = st.builds(SignedNote, TEXTS, st.lists(SIGNATURES, min_size=1, max_size=4, unique=True).map(tuple))


@pytest.mark.parametrize("data", [POEM, EXAMPLE_NOTE, PETER_NOTE, SOFA, ARCHE])
def test_published_notes_round_trip(data: bytes) -> None:
    assert parse_note(data).format() == data


def test_the_text_ends_at_the_last_empty_line() -> None:
    note = parse_note(POEM)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [(s.name, s.key_id.hex()) for s in note.signatures] == [("quasimodo.example/salvatore", "367ba04b")]


@pytest.mark.parametrize(("data", "key"), [(EXAMPLE_NOTE, EXAMPLE_KEY), (PETER_NOTE, PETER_KEY)])
def test_published_notes_verify(data: bytes, key: str) -> None:
    verify_note(parse_note(data), parse_vkey(key))


def test_signing_gives_the_bytes_that_go_gives() -> None:
    key = SigningKey(base64.b64decode(PETER_SECRET)[1:])
    assert sign_note(parse_note(PETER_NOTE).text, "PeterNeumann", key).format() == PETER_NOTE


def test_the_answer_of_a_mirror_is_read() -> None:
    found = parse_signatures(MIRROR_ANSWER)
    assert [s.name for s in found] == ["mirror.example/m1", "mirror.example/m1", "mirror.example/m2"]
    assert {len(s.signature) for s in found} == {72}
    assert format_signatures(found) == MIRROR_ANSWER


@given(NOTES)
def test_notes_round_trip(note: SignedNote) -> None:
    assert parse_note(note.format()) == note


@given(st.binary(max_size=200) | NOTES.map(SignedNote.format))
def test_what_is_read_is_written_alike(data: bytes) -> None:
    try:
        note = parse_note(data)
    except InvalidNote:
        return
    assert note.format() == data


@given(st.data())
def test_a_changed_note_is_refused_or_says_the_same(data: st.DataObject) -> None:
    key = parse_vkey(EXAMPLE_KEY)
    changed = bytearray(EXAMPLE_NOTE)
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        note = parse_note(bytes(changed))
        verify_note(note, key)
    except CommonweightError:
        return
    assert note == parse_note(EXAMPLE_NOTE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n" + LINE,
        "text\n\n" + LINE[:-1],
        "text\n\n" + LINE + "\n",
        "text\n\n" + LINE.replace("—", "-"),
        "text\n\n" + LINE.replace("— ", "—"),
        "text\n\n" + LINE.replace(" QUJDREVG", ""),
        "text\n\n" + LINE.replace(" QUJDREVG", "  QUJDREVG"),
        "text\n\n" + LINE.replace("QUJDREVG", "QUJDREVG "),
        "text\n\n" + LINE.replace("QUJDREVG", "QUJDREVG\r"),
        "text\n\n" + LINE.replace("a.example", "a+example"),
        "te\txt\n\n" + LINE,
        "te\rxt\n\n" + LINE,
        "te\x00xt\n\n" + LINE,
    ],
)
def test_malformed_notes_are_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        parse_note(text.encode())


def test_bytes_that_are_not_utf8_are_refused() -> None:
    for wrong in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80"):
        with pytest.raises(InvalidNote, match="not UTF-8"):
            parse_note(b"te" + wrong + b"xt\n\n" + LINE.encode())


def test_a_signature_in_other_base64_is_refused() -> None:
    with pytest.raises(InvalidNote, match="only base64"):
        parse_note(f"text\n\n{LINE.replace('QUJDREVG', 'QUJDREV=')}".encode())


def test_a_signature_of_four_bytes_is_refused() -> None:
    with pytest.raises(InvalidNote, match="and more"):
        parse_note(f"text\n\n{LINE.replace('QUJDREVG', 'QUJDRA==')}".encode())


def test_a_line_that_stands_twice_is_refused() -> None:
    with pytest.raises(InvalidNote, match="twice"):
        parse_note(f"text\n\n{LINE}{LINE}".encode())


def test_an_oversized_note_is_refused() -> None:
    fits = "x" * (MAX_NOTE - len(f"\n\n{LINE}".encode()))
    assert len(parse_note(f"{fits}\n\n{LINE}".encode()).format()) == MAX_NOTE
    with pytest.raises(InvalidNote, match="at most"):
        parse_note(f"{fits}x\n\n{LINE}".encode())
    with pytest.raises(InvalidNote, match="at most"):
        SignedNote(f"{fits}x\n", (NoteSignature("a.example", b"ABCD", b"EF"),))
    with pytest.raises(InvalidNote, match="at most"):
        parse_signatures(bytes(MAX_NOTE + 1))


def test_a_hundred_signatures_are_read_and_no_more() -> None:
    lines = [LINE.replace("a.example", f"a{place}.example") for place in range(MAX_SIGNATURES + 1)]
    assert len(parse_note(("text\n\n" + "".join(lines[1:])).encode()).signatures) == MAX_SIGNATURES
    for read in (parse_note, parse_signatures):
        with pytest.raises(InvalidNote):
            read(("text\n\n" * (read is parse_note) + "".join(lines)).encode())


def test_a_text_without_its_newline_is_refused() -> None:
    with pytest.raises(InvalidNote, match="newline"):
        SignedNote("text", parse_note(SOFA).signatures)


def test_unknown_signatures_are_ignored() -> None:
    mine = sign_note("text\n", "log.example/run", secret("log.example/run"))
    same_name = NoteSignature("log.example/run", b"ABCD", b"garbage")
    same_id = NoteSignature("other", mine.signatures[0].key_id, b"garbage")
    verify_note(mine.adding(same_name, same_id), log_key())


def test_a_note_by_other_keys_only_is_refused() -> None:
    with pytest.raises(NoteNotSigned):
        verify_note(parse_note(PETER_NOTE), log_key())


def test_a_false_signature_of_a_known_key_condemns_the_note() -> None:
    mine = sign_note("text\n", "log.example/run", secret("log.example/run"))
    name, key_id = mine.signatures[0].name, mine.signatures[0].key_id
    for false in (secret("log.example/run").sign(b"other\n"), b"short", bytes(72)):
        with pytest.raises(BadLogSignature):
            verify_note(mine.adding(NoteSignature(name, key_id, false)), log_key())


def test_a_key_of_a_cosigner_verifies_no_text() -> None:
    key = secret("log.example/run").verifier("log.example/run", SignatureType.COSIGNATURE)
    line = NoteSignature(key.name, key.key_id, secret("log.example/run").sign(b"text\n"))
    with pytest.raises(NoteNotSigned, match="cosigner"):
        verify_note(SignedNote("text\n", (line,)), key)


def test_adding_leaves_out_what_is_there() -> None:
    note = parse_note(SOFA)
    assert note.adding(*note.signatures) == note


def test_two_signatures_under_one_name_are_two_keys() -> None:
    note = parse_note(ADD_CHECKPOINT.partition(b"\n\n")[2])
    assert len({s.name for s in note.signatures}) == 1
    assert len({s.key_id for s in note.signatures}) == 2
