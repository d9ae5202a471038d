"""`commonweight run`: what a real run looks like at its end, and while it enrols."""

from __future__ import annotations

import json

import pytest

from commonweight.model.terms import RunRules, RunText, open_run
from tests.commonweight.conftest import Command
from tests.commonweight.reading.town import Town
from tests.deployed import key_of
from tests.service.stage import TINY

pytestmark = pytest.mark.integration


def test_runs_are_listed_and_each_can_be_shown(place: Town, commonweight: Command) -> None:
    listed = commonweight("run", "list", "--api", place.stage.api)
    assert f"{place.stage.run}  round 2  is over" in listed.out.splitlines()
    rows = [
        json.loads(line)
        for line in commonweight("run", "list", "--api", place.stage.api, "--json").out.split("\n")[:-1]
    ]
    assert {"run": place.stage.run, "phase": "over", "round": 2} in rows
    for row in rows:
        assert commonweight("run", "show", row["run"], "--api", place.stage.api).status == 0


def test_a_run_at_its_end_names_its_nodes_and_waits_for_nobody(place: Town, commonweight: Command) -> None:
    said = commonweight("run", "show", place.stage.run, "--api", place.stage.api, "--watch")
    assert said.status == 0, said.err
    assert "awaited: nothing" in said.out
    assert "verifiers with an anchor: 3" in said.out
    shown = json.loads(commonweight("run", "show", place.stage.run, "--api", place.stage.api, "--json").out)
    assert [found["obstacle"] for found in shown["waiting"]["obstacles"]] == ["over"]


def test_a_run_without_nodes_says_what_is_missing(place: Town, commonweight: Command) -> None:
    """Its verifiers' anchors as well: they ended with the other run."""
    rules = RunRules(10**21, min_nodes=2, nonce=77)
    run = open_run(place.stage.api, bytes(key_of("creator").key).hex(), TINY, rules, RunText((place.stage.text,)))
    said = commonweight("run", "show", run, "--api", place.stage.api)
    assert "the run enrols nodes; its first round is not open yet" in said.out
    assert (
        "round 1 does not open yet: nodes that take part, and whose profile enough verifiers judge: 0 of 2" in said.out
    )
    assert "verifiers with a stake and an anchor: 0 of 3" in said.out


def test_an_unknown_run_is_refused(place: Town, commonweight: Command) -> None:
    said = commonweight("run", "show", "0x" + "11" * 32, "--api", place.stage.api)
    assert (said.status, said.err.split(":")[0]) == (1, "not-found")
