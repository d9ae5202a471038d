"""The file of a policy: the specification's example, round trips, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import CommonweightError
from contracts.tlog.keys import InvalidLogKey
from contracts.tlog.policy import InvalidPolicy, Policy, PolicyGroup, PolicyLog, PolicyWitness, k_of_n
from contracts.tlog.policy_text import MAX_POLICY, format_policy, parse_policy
from tests.contracts.tlog.vectors import POLICY, log_key, mirror_key

pytestmark = pytest.mark.unit

LOG = log_key().vkey()
W1, W2 = mirror_key("m1").vkey(), mirror_key("m2").vkey()
KEYS = {name: mirror_key(name) for name in ("x1", "x2", "x3", "y1", "y2", "y3")}
EXAMPLE = POLICY.format(log=LOG, **{name: key.vkey() for name, key in KEYS.items()}).encode()
WORDS = st.text(st.characters(codec="utf-8", min_codepoint=33).filter(lambda c: c != "\x7f"), min_size=1, max_size=8)


def test_the_example_of_the_specification_is_read() -> None:
    found = parse_policy(EXAMPLE)
    assert [log.key for log in found.logs] == [log_key()]
    assert {witness.name: witness.key for witness in found.witnesses} == {n.upper(): key for n, key in KEYS.items()}
    assert found.groups == (
        PolicyGroup("X-witnesses", 2, ("X1", "X2", "X3")),
        PolicyGroup("Y-witnesses", 1, ("Y1", "Y2", "Y3")),
        PolicyGroup("X-and-Y", 2, ("X-witnesses", "Y-witnesses")),
    )
    assert found.quorum == "X-and-Y"
    assert parse_policy(format_policy(found)) == found


def test_k_of_n_is_five_kinds_of_lines() -> None:
    policy = k_of_n(log_key(), {"m1": mirror_key("m1"), "m2": mirror_key("m2")}, 2)
    assert format_policy(policy).decode().splitlines() == [
        f"log {LOG}",
        f"witness m1 {W1}",
        f"witness m2 {W2}",
        "group verifiers 2 m1 m2",
        "quorum verifiers",
    ]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    names = draw(st.lists(WORDS.filter(lambda name: name != "none"), min_size=4, max_size=4, unique=True))
    urls = draw(st.lists(st.just("") | WORDS, min_size=3, max_size=3))
    witnesses = tuple(PolicyWitness(names[i], mirror_key(f"m{i}"), urls[i]) for i in range(2))
    inner = PolicyGroup(names[2], draw(st.integers(1, 2)), (names[0], names[1]))
    outer = PolicyGroup(names[3], 1, (names[2],))
    quorum = draw(st.sampled_from([*names, "none"]))
    return Policy((PolicyLog(log_key(), urls[2]),), witnesses, (inner, outer), quorum)


@settings(deadline=None)
@given(policies())
def test_policies_round_trip(policy: Policy) -> None:
    assert parse_policy(format_policy(policy)) == policy


@settings(deadline=None)
@given(st.data())
def test_a_changed_policy_is_refused_or_keeps_its_keys(data: st.DataObject) -> None:
    """Nobody signs a policy: a changed name or number is another policy. But no byte turns one key into another."""
    changed = bytearray(EXAMPLE)
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = parse_policy(bytes(changed))
    except CommonweightError:
        return
    assert {witness.key for witness in found.witnesses} <= set(KEYS.values())
    assert {log.key for log in found.logs} <= {log_key()}
    assert parse_policy(format_policy(found)) == found


@given(st.binary(max_size=100) | st.text("log witness group quorum none any\n 12#", max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = parse_policy(data)
    except CommonweightError:
        return
    assert parse_policy(format_policy(found)) == found


def test_blanks_comments_and_empty_lines_mean_nothing() -> None:
    text = (
        f"\n \t \n# comment\n\t# \xff comment\n  log\t {LOG}  https://log.example/ \nwitness #1 {W1}\n quorum  #1\t\n"
    )
    found = parse_policy(text.encode("latin-1"))
    assert found.logs == (PolicyLog(log_key(), "https://log.example/"),)
    assert (found.witnesses[0].name, found.quorum) == ("#1", "#1")


def test_names_are_compared_as_bytes() -> None:
    """Kelvin's sign is no K, and bytes that are no text are a name too."""
    text = f"log {LOG}\nwitness K {W1}\nwitness \u212a {W2}\ngroup g all K \u212a\nquorum g\n"
    assert [witness.name for witness in parse_policy(text.encode()).witnesses] == ["K", "\u212a"]
    odd = b"witness \xff\xfe " + W1.encode() + b"\nquorum \xff\xfe\n"
    assert format_policy(parse_policy(odd)) == odd
    with pytest.raises(InvalidPolicy):
        parse_policy(odd.replace(b"quorum \xff", b"quorum \xfe"))


def test_a_blank_of_another_script_parts_no_words() -> None:
    text = f"witness a\u00a0b {W1}\nquorum a\u00a0b\n"
    assert parse_policy(text.encode()).quorum == "a\u00a0b"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum none",
        "quorum nonex",
        "# \x00\nquorum none\n",
        "\n",
        "quorum\n",
        "quorum none none\n",
        "quorum none\nquorum none\n",
        "quorum w\n",
        "Quorum none\n",
        f"quorum w\nwitness w {W1}\n",
        f"witness w {W1}\nquorum W\n",
        f"witness w {W1}\nwitness w {W2}\nquorum w\n",
        f"witness w {W1}\nwitness v {W1}\nquorum w\n",
        f"witness none {W1}\nquorum none\n",
        f"witness {W1}\nquorum none\n",
        f"witness w {W1} https://a https://b\nquorum w\n",
        f"log {LOG}\nlog {LOG}\nquorum none\n",
        f"log {LOG} https://a https://b\nquorum none\n",
        "log\nquorum none\n",
        f"witness w {W1}\ngroup g 1\nquorum w\n",
        f"witness w {W1}\ngroup g any\nquorum w\n",
        f"witness w {W1}\ngroup g 0 w\nquorum g\n",
        f"witness w {W1}\ngroup g 2 w\nquorum g\n",
        f"witness w {W1}\ngroup g 01 w\nquorum g\n",
        f"witness w {W1}\ngroup g +1 w\nquorum g\n",
        f"witness w {W1}\ngroup g {'9' * 5000} w\nquorum g\n",
        f"witness w {W1}\ngroup g some w\nquorum g\n",
        f"witness w {W1}\ngroup g 1 w w\nquorum g\n",
        f"witness w {W1}\ngroup g 1 w none\nquorum g\n",
        f"group g 1 w\nwitness w {W1}\nquorum g\n",
        f"witness w {W1}\ngroup g 1 w\ngroup h 1 w\nquorum h\n",
        f"witness w {W1}\ngroup g 1 g\nquorum g\n",
        "# only a comment\n",
        "unknown line\nquorum none\n",
        "quorum none\r\n",
        "quorum none\x00\n",
        "quorum none\x7f\n",
        "quorum\x0bnone\n",
    ],
)
def test_malformed_policies_are_refused(text: str) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy(text.encode())


def test_broken_keys_are_refused() -> None:
    for wrong in (LOG[:-1] + "x", "vkey", LOG.replace("+", "-", 1)):
        with pytest.raises(InvalidLogKey):
            parse_policy(f"log {wrong}\nquorum none\n".encode())


def test_an_oversized_policy_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match="at most"):
        parse_policy(b"quorum none\n" + b"#" * MAX_POLICY + b"\n")


def test_thirty_two_of_each_are_read() -> None:
    logs = "".join(f"log {log_key(f'log.example/{i}').vkey()}\n" for i in range(32))
    witnesses = "".join(f"witness w{i} {mirror_key(f'm{i}').vkey()}\n" for i in range(32))
    groups = "".join(f"group g{i} 1 w{i}{f' g{i - 1}' if i else ''}\n" for i in range(32))
    found = parse_policy(f"{logs}{witnesses}{groups}quorum g31\n".encode())
    assert (len(found.logs), len(found.witnesses), len(found.groups)) == (32, 32, 32)
