"""One head of k verifiers, out of mirrors that are not level, lie, or do not answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.mirrors.peer import PeerUnreachable
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.operator import LogSigner
from contracts.tlog.cosignature import cosign
from contracts.tlog.note import NoteSignature, SignedNote
from tests.contracts.protocol.log.signed_run import key
from tests.trainer.world import log_key
from tests.verifier.log.files import OPERATOR, cosigned, head_of
from tests.verifier.receipt.made import Made, Mirror, make
from verifier.receipt import heads
from verifier.receipt.errors import HeadsApart
from verifier.receipt.heads import cosigned_head

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("heads"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "LOOK_SECONDS", 0.0)


def head(made: Made, mirrors: dict[str, Mirror], seconds: float = 0.0, least: int = 1) -> SignedNote:
    return cosigned_head(dict(mirrors), made.policy(), least, seconds)


def test_mirrors_are_asked_until_k_show_one_head(made: Made) -> None:
    leaves, names = made.run.leaves, made.names
    mirrors = {
        names[0]: Mirror([cosigned(leaves[:9], names[0]), cosigned(leaves, names[0])]),
        names[1]: Mirror([cosigned(leaves[:8], names[1]), cosigned(leaves, names[1])]),
        names[2]: Mirror([PeerUnreachable("away")]),
    }
    note = head(made, mirrors, 60.0)
    assert note.text == head_of(leaves).text
    assert sorted(made.policy().check(note).cosigned) == sorted(names[:2])


def test_signatures_of_different_looks_come_together(made: Made) -> None:
    leaves, names = made.run.leaves, made.names
    mirrors = {
        names[0]: Mirror([cosigned(leaves[:9], names[0]), cosigned(leaves, names[0])]),
        names[1]: Mirror([cosigned(leaves[:8], names[1]), cosigned(leaves[:9], names[1])]),
    }
    assert head(made, mirrors, 60.0).text == head_of(leaves[:9]).text


def test_a_head_below_the_entries_does_not_do(made: Made) -> None:
    names = made.names
    mirrors = {name: Mirror([cosigned(made.run.leaves[:9], name)]) for name in names}
    assert head(made, dict(mirrors), least=9)
    with pytest.raises(HeadsApart, match="no head of 10 entries"):
        head(made, mirrors, least=10)


def test_no_mirror_spoils_the_head_of_the_others(made: Made) -> None:
    """One adds a forged line under another's key, one signs nothing, one shows a head of another operator."""
    leaves, names = made.run.leaves, made.names
    note = head_of(leaves)
    forged = replace(cosign(note.text, names[1], log_key(names[1]), 5), signature=b"\1" * 72)
    liar = cosigned(leaves, names[0]).adding(forged, NoteSignature("x", b"1234", b"5"))
    good = {names[0]: Mirror([liar]), names[1]: Mirror([cosigned(leaves, names[1])])}
    assert head(made, good).text == note.text
    spoilt = note.adding(replace(cosign(note.text, names[2], log_key(names[2]), 5), signature=b"\1" * 72))
    assert head(made, {names[2]: Mirror([spoilt]), **good}).text == note.text
    stranger = LogSigner(OPERATOR.name, LogSigner.of(bytes(key("stranger").key)).key)
    for bad in (note, head_of(leaves, stranger), cosigned(leaves, names[1])):
        with pytest.raises(HeadsApart, match="asks for"):
            head(made, {names[0]: Mirror([bad]), names[1]: Mirror([cosigned(leaves, names[1])])})


def test_strangers_and_nobody_are_not_heard(made: Made) -> None:
    with pytest.raises(HeadsApart, match="no mirror is known"):
        head(made, {})
    with pytest.raises(HeadsApart):
        head(made, {"0x" + "11" * 20: Mirror([cosigned(made.run.leaves, *made.names)])})


def test_who_waits_is_told_who_shows_what(made: Made) -> None:
    names, told = made.names, list[str]()
    mirrors = {
        names[0]: Mirror([cosigned(made.run.leaves[:9], names[0]), cosigned(made.run.leaves, names[0])]),
        names[1]: Mirror([PeerUnreachable("away"), cosigned(made.run.leaves, names[1])]),
    }
    cosigned_head(dict(mirrors), made.policy(), 1, 60.0, told.append)
    assert told == [f"{names[0]}: 9 entries, {names[1]}: away"]


def test_who_anchored_no_key_is_not_in_the_policy(made: Made) -> None:
    answer = made.answer()
    receipt = made.save(answer=answer | {"anchors": answer["anchors"][:2]})
    assert receipt.policy.count("witness ") == 2
    with pytest.raises(InvalidLeaf, match="an anchor is a message of its kind"):
        made.save(answer=answer | {"anchors": [0]})
