"""Secrets: kept by their owner alone, each shown without the others, renewed in time (J6)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.ids import Address, RunId, as_address, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol.judge.facts import Anchored
from contracts.protocol.judge.protocol import Protocol, secret_leaf
from contracts.protocol.judge.rules.presence import anchor_of, take_anchor
from tests.contracts.protocol.log.signed_run import PROFILE, SignedRun
from tests.holds import Threat, holds
from verifier.replica.errors import SecretUnusable
from verifier.signing.secrets import IN_TIME, RoundSecrets, next_first

pytestmark = pytest.mark.unit

RUN = RunId(to_hex(b"\1" * 32))
OWN = as_address("0x" + "ab" * 20)


def secrets(folder: Path, verifier: Address = OWN) -> RoundSecrets:
    return RoundSecrets(folder / "verifier.secret", verifier)


def test_the_file_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    first, again = secrets(tmp_path), secrets(tmp_path)
    assert first.anchor(RUN, 1, 8) == again.anchor(RUN, 1, 8)
    assert first.log_key().public == again.log_key().public
    assert (tmp_path / "verifier.secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["verifier.secret"]


def test_a_torn_or_open_file_is_named(tmp_path: Path) -> None:
    secrets(tmp_path)
    file = tmp_path / "verifier.secret"
    file.chmod(0o644)
    with pytest.raises(SecretUnusable, match="others"):
        secrets(tmp_path)
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(SecretUnusable, match="bytes"):
        secrets(tmp_path)


@holds(
    "A verifier reveals one secret a round, the anchored one",
    by="verifier/signing/secrets.py:RoundSecrets",
    against=Threat.BAD_VERIFIER,
)
def test_a_shown_secret_is_the_anchored_one_of_its_round(tmp_path: Path) -> None:
    made = secrets(tmp_path)
    anchored = Anchored(RUN, OWN, to_hex(made.anchor(RUN, 5, 10)), 10, to_hex(PROFILE), 5)
    functions = Protocol(1, OWN, b"\0" * 32, OWN)
    for place in (0, 3, 9):
        path = [to_hex(node) for node in made.path(RUN, 5, 10, place)]
        functions.check_secret(anchored, place, to_hex(made.secret(RUN, 5, place)), path)
    assert made.owns(anchored)
    assert not secrets(tmp_path / "other").owns(anchored)


def test_no_secret_leads_to_another_one(tmp_path: Path) -> None:
    """Each differs in every part of its place, and none is a hash of another (as the links of a chain are)."""
    made = secrets(tmp_path)
    every = [made.secret(run, first, place) for run in (RUN, RunId("0x02")) for first in (1, 2) for place in range(50)]
    assert len(set(every)) == len(every)
    shown = made.secret(RUN, 1, 7)
    leaves = {secret_leaf(b"\1" * 32, OWN, place, made.secret(RUN, 1, place)) for place in range(50)}
    hashed = {KECCAK_TREE.hash(shown), KECCAK_TREE.leaf_hash(shown)}
    assert not hashed & ({*every} | leaves)
    assert os.path.getsize(tmp_path / "verifier.secret") == 32


def test_the_next_anchor_comes_in_time_and_follows_on_the_last(tmp_path: Path) -> None:
    made = SignedRun(rounds=9_999)
    name = RunId(to_hex(made.run))
    run, state = made.state.runs[name], made.state
    verifier = made.verifiers[0].address
    own = secrets(tmp_path, verifier)

    def anchor(first: int) -> None:
        root = to_hex(own.anchor(name, first, 64))
        take_anchor(state, Anchored(name, verifier, root, 64, to_hex(PROFILE), first))

    assert next_first(state, run, verifier, own) == 3, "the anchor of the log is not of this file"
    anchor(3)
    assert next_first(state, run, verifier, own) is None
    run.round, run.merged = 67 - IN_TIME, 66 - IN_TIME
    assert next_first(state, run, verifier, own) == 67, "where the last one ends"
    anchor(67)
    assert next_first(state, run, verifier, own) is None
    assert all(anchor_of(run, verifier, number) for number in range(run.round, 130))


def test_a_late_anchor_counts_from_the_next_round_but_one(tmp_path: Path) -> None:
    made = SignedRun(rounds=9_999)
    run = made.state.runs[RunId(to_hex(made.run))]
    run.round, run.merged = 500, 499
    assert next_first(made.state, run, made.verifiers[0].address) == 502
    run.merged = 500
    assert next_first(made.state, run, made.verifiers[0].address) == 501
    assert next_first(made.state, run, as_address("0x" + "99" * 20)) == 501, "a first anchor"


def test_no_anchor_is_due_beyond_the_end_of_the_run(tmp_path: Path) -> None:
    made = SignedRun(rounds=60)
    run = made.state.runs[RunId(to_hex(made.run))]
    run.round, run.merged = 58, 57
    assert next_first(made.state, run, made.verifiers[0].address) is None
