"""Whose signatures make a checkpoint good."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.checkpoint import Checkpoint, InvalidCheckpoint, sign_checkpoint
from contracts.tlog.cosignature import cosign
from contracts.tlog.keys import BadLogSignature, parse_vkey
from contracts.tlog.note import NoteSignature, SignedNote, parse_note
from contracts.tlog.policy import (
    MAX_PARTS,
    InvalidPolicy,
    Policy,
    PolicyGroup,
    PolicyLog,
    PolicyNotMet,
    PolicyWitness,
    k_of_n,
)
from contracts.tlog.policy_text import parse_policy
from tests.contracts.tlog.vectors import (
    ARCHE,
    ARCHE_KEY,
    ARCHE_WITNESSES,
    NOW,
    ORIGIN,
    POLICY,
    log_key,
    mirror_key,
    secret,
)

pytestmark = pytest.mark.unit

HEAD = Checkpoint(ORIGIN, 1, SHA256_TREE.root([b"entry"]))
SIX = ("x1", "x2", "x3", "y1", "y2", "y3")
MIRRORS = {name: mirror_key(name) for name in ("m1", "m2", "m3", "m4", "m5")}
THREE_OF_FIVE = k_of_n(log_key(), MIRRORS, 3)


def signed_by(*names: str, head: Checkpoint = HEAD) -> SignedNote:
    lines = (cosign(head.text(), f"{name}.example", secret(name), NOW) for name in names)
    return sign_checkpoint(head, secret(ORIGIN)).adding(*lines)


def the_example() -> Policy:
    keys = {name: mirror_key(name).vkey() for name in SIX}
    return parse_policy(POLICY.format(log=log_key().vkey(), **keys).encode())


def test_the_example_asks_for_two_x_and_one_y() -> None:
    policy = the_example()
    for names in chain.from_iterable(combinations(SIX, count) for count in range(7)):
        good = sum(name < "y" for name in names) >= 2 and any(name > "y" for name in names)
        if good:
            accepted = policy.check(signed_by(*names))
            assert accepted.checkpoint == HEAD
            assert accepted.cosigned == {name.upper(): NOW for name in names}
            continue
        with pytest.raises(PolicyNotMet):
            policy.check(signed_by(*names))


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_k_of_n_asks_for_k(k: int) -> None:
    policy = k_of_n(log_key(), MIRRORS, k)
    for count in range(6):
        note = signed_by(*list(MIRRORS)[:count])
        if count >= k:
            assert len(policy.check(note).cosigned) == count
            continue
        with pytest.raises(PolicyNotMet):
            policy.check(note)


def test_a_head_of_a_running_log_meets_a_policy() -> None:
    keys = {name: parse_vkey(vkey) for name, vkey in ARCHE_WITNESSES.items()}
    accepted = k_of_n(parse_vkey(ARCHE_KEY), keys, 4).check(parse_note(ARCHE))
    assert set(accepted.cosigned) == set(ARCHE_WITNESSES)
    with pytest.raises(PolicyNotMet):
        k_of_n(parse_vkey(ARCHE_KEY), {**keys, "m1": MIRRORS["m1"]}, 5).check(parse_note(ARCHE))


def test_a_witness_that_signs_twice_counts_once() -> None:
    again = cosign(HEAD.text(), "m1.example", secret("m1"), NOW + 1)
    with pytest.raises(PolicyNotMet, match="asks for others than m1, m2"):
        THREE_OF_FIVE.check(signed_by("m1", "m2").adding(again))


def test_foreign_witnesses_do_not_count() -> None:
    with pytest.raises(PolicyNotMet):
        THREE_OF_FIVE.check(signed_by("m1", "m2", "stranger"))
    THREE_OF_FIVE.check(signed_by("m1", "m2", "m3", "stranger"))


def test_cosignatures_of_another_head_condemn_the_note() -> None:
    other = signed_by("m3", head=Checkpoint(ORIGIN, 1, SHA256_TREE.root([b"other"]))).signatures[1]
    with pytest.raises(BadLogSignature):
        THREE_OF_FIVE.check(signed_by("m1", "m2", "m4").adding(other))


def test_without_the_logs_own_signature_no_quorum_helps() -> None:
    note = signed_by("m1", "m2", "m3")
    with pytest.raises(PolicyNotMet, match="no log"):
        THREE_OF_FIVE.check(SignedNote(note.text, note.signatures[1:]))


def test_a_false_signature_of_the_log_condemns_the_note() -> None:
    note = signed_by("m1", "m2", "m3")
    line = note.signatures[0]
    with pytest.raises(BadLogSignature):
        THREE_OF_FIVE.check(note.adding(NoteSignature(line.name, line.key_id, bytes(64))))


def test_a_log_of_the_policy_signs_under_its_own_origin_only() -> None:
    from contracts.tlog.note import sign_note

    text = Checkpoint("log.example/two", 1, HEAD.root).text()
    with pytest.raises(InvalidCheckpoint):
        Policy((PolicyLog(log_key()),), (), (), "none").check(sign_note(text, ORIGIN, secret(ORIGIN)))


def test_one_of_several_logs_is_enough() -> None:
    policy = Policy((PolicyLog(log_key("log.example/two")), PolicyLog(log_key())), (), (), "none")
    assert policy.check(signed_by()).checkpoint == HEAD


def test_a_quorum_of_none_asks_for_the_log_alone() -> None:
    assert Policy((PolicyLog(log_key()),), (), (), "none").check(signed_by()).cosigned == {}
    with pytest.raises(PolicyNotMet, match="no log"):
        Policy((), (), (), "none").check(signed_by())


def test_a_quorum_can_be_one_witness() -> None:
    policy = Policy((PolicyLog(log_key()),), (PolicyWitness("w", MIRRORS["m1"]),), (), "w")
    policy.check(signed_by("m1"))
    with pytest.raises(PolicyNotMet, match="w asks for others than nobody"):
        policy.check(signed_by())


@pytest.mark.parametrize("k", [-1, 0, 6])
def test_a_threshold_that_cannot_be_met_is_refused(k: int) -> None:
    with pytest.raises(InvalidPolicy, match="cannot ask for"):
        k_of_n(log_key(), MIRRORS, k)


def test_one_key_under_two_names_is_refused() -> None:
    same = secret("m1").verifier("other.example", MIRRORS["m1"].kind)
    with pytest.raises(InvalidPolicy, match="stands there twice"):
        k_of_n(log_key(), {"m1": MIRRORS["m1"], "m2": same}, 2)
    logs = (PolicyLog(log_key()), PolicyLog(secret(ORIGIN).verifier("log.example/two", log_key().kind)))
    with pytest.raises(InvalidPolicy, match="stands there twice"):
        Policy(logs, (), (), "none")


def test_keys_of_the_other_type_are_refused() -> None:
    with pytest.raises(InvalidPolicy, match="type 4, not 1"):
        k_of_n(MIRRORS["m1"], MIRRORS, 2)
    with pytest.raises(InvalidPolicy, match="type 1, not 4"):
        k_of_n(log_key(), {"m1": log_key()}, 1)


@pytest.mark.parametrize("name", ["none", "", "two words", "tab\tbed", "new\nline", "verifiers"])
def test_names_that_no_witness_can_have_are_refused(name: str) -> None:
    with pytest.raises(InvalidPolicy):
        k_of_n(log_key(), {name: MIRRORS["m1"]}, 1)


@pytest.mark.parametrize(
    "groups",
    [
        (PolicyGroup("g", 1, ("m9",)),),
        (PolicyGroup("g", 1, ("g",)),),
        (PolicyGroup("g", 1, ("h",)), PolicyGroup("h", 1, ("m1",))),
        (PolicyGroup("g", 1, ("m1", "m1")),),
        (PolicyGroup("g", 1, ("m1",)), PolicyGroup("h", 1, ("m1",))),
        (PolicyGroup("g", 1, ("none",)),),
        (PolicyGroup("g", 1, ()),),
        (PolicyGroup("g", 1, ("m1",)), PolicyGroup("g", 1, ("m2",))),
        (PolicyGroup("m1", 1, ("m2",)),),
        (PolicyGroup("g", 1, ("m1",)), PolicyGroup("h", 2, ("m2", "g")), PolicyGroup("i", 1, ("m2",))),
    ],
)
def test_groups_that_could_count_somebody_twice_are_refused(groups: tuple[PolicyGroup, ...]) -> None:
    witnesses = tuple(PolicyWitness(name, key) for name, key in MIRRORS.items())
    with pytest.raises(InvalidPolicy):
        Policy((PolicyLog(log_key()),), witnesses, groups, "m1")


def test_an_unknown_quorum_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match="is called"):
        Policy((PolicyLog(log_key()),), (), (), "verifiers")


def test_an_address_of_two_words_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match="not one word"):
        Policy((PolicyLog(log_key(), "https://log.example/ x"),), (), (), "none")


def test_more_parts_than_the_limit_are_refused() -> None:
    with pytest.raises(InvalidPolicy, match="at most"):
        Policy((PolicyLog(log_key()),) * (MAX_PARTS + 1), (), (), "none")
