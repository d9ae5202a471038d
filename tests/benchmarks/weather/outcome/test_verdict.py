"""The verdict sees what it is there for: voids, faults, ends that nobody ordered, foreign lines, rounds not proven."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.weather.outcome.facts import Facts
from benchmarks.weather.outcome.said import said_by
from benchmarks.weather.outcome.verdict import MUST_BE_NONE, is_good
from benchmarks.weather.parties import Party
from benchmarks.weather.playing import Played
from benchmarks.weather.stops import STARTING, away, courses, unproven
from contracts.ids import NO_PROOF, Address, ProofId, RunId, as_address
from contracts.process.outage import Outage
from contracts.protocol.judge import entries
from contracts.protocol.judge.facts import Awaited, Committed, Reason, What

GOOD: dict[str, Any] = {
    "honest_proofs_void": 0,
    "stake_lost_wei": 0,
    "processes_ended": 0,
    "audit_findings": [],
    "at_fault": [],
    "verifier_faults": [],
}
RUN, ADA, BEN = RunId("0x01"), as_address("0xAda"), as_address("0xBen")


def committed(node: Address, number: int) -> Committed:
    rest = {"theta": "", "inner": "", "inner_end": "", "gradient": "", "size": 1, "data_seed": "", "config": ""}
    return Committed(
        RUN,
        number,
        node,
        ProofId(f"{node} {number}"),
        profile="",
        pledge="",
        segments=1,
        tokens=1,
        **rest,  # type: ignore[arg-type]
    )


def opened(number: int, awaited: bool = True) -> entries.RoundOpened:
    listed = tuple(entries.Listed(node, node, "", "", 0, awaited, True) for node in (ADA, BEN))
    return entries.RoundOpened(RUN, number, "", "", "", "", 0, 2, (), listed)


def log(*found: object) -> Facts:
    facts = Facts({ADA.lower(): "ada", BEN.lower(): "ben"})
    for index, entry in enumerate(found):
        facts.take(index, entry)  # type: ignore[arg-type]
    return facts


@pytest.mark.unit
@pytest.mark.parametrize("name", MUST_BE_NONE)
def test_one_thing_that_must_not_be_is_enough(name: str) -> None:
    assert is_good(GOOD)
    assert not is_good({**GOOD, name: 1})


@pytest.mark.unit
def test_a_void_proof_is_named_with_its_node_round_and_reason() -> None:
    void = entries.Voided(ProofId(f"{ADA} 1"), Reason.WITHHELD, 3)
    fault = entries.FaultDerived(ProofId(f"{ADA} 1"), ADA, True, Reason.WITHHELD, True)
    found = log(
        opened(1), committed(ADA, 1), committed(BEN, 1), void, fault, entries.Posted(ProofId(f"{BEN} 1"), BEN, 5)
    )
    assert found.voids() == ["ada, round 1, entry 1: void: opening-withheld, segment 3"]
    assert found.at_fault == ["ada: opening-withheld, entry 4"]
    assert found.counts() == {"void": 1, "posted": 1}
    assert found.posted_since(0) == {"ben"}
    assert found.posted_since(1) == set(), "a round that opened before does not count"


@pytest.mark.unit
def test_who_was_awaited_and_did_not_commit_missed_the_round() -> None:
    lapse = entries.Lapsed(Awaited(What.COMMITMENT, RUN, 1, NO_PROOF, BEN), 0, 1)
    found = log(opened(1), committed(ADA, 1), lapse, entries.RoundClosed(RUN, 1, (), 0))
    assert found.missed() == [("ben", 1)]
    assert found.lapsed == [("commitment", "ben", 1, 2)]
    assert found.counts() == {"out": 1}, "k verifiers do not hold what ada made"
    assert log(opened(1, awaited=False), entries.RoundClosed(RUN, 1, (), 0)).missed() == []


@pytest.mark.unit
def test_an_unproven_round_is_excused_only_by_a_node_away() -> None:
    found = log(opened(1), committed(ADA, 1), entries.RoundClosed(RUN, 1, (ProofId(f"{ADA} 1"),), 0))
    played = Played(sizes=[(10.0, 1), (50.0, 2), (100.0, 3)])
    assert unproven(found, played) == ["ben, round 1: no commitment, open from 10 to 100 s"]
    played.down = [("ben", 20.0, 60.0), ("ada", 20.0, 90.0)]
    assert unproven(found, played) == []


@pytest.mark.unit
def test_times_away_that_touch_are_one() -> None:
    played = Played(down=[("ben", 10.0, 10.5), ("ben", 20.0, 20.5), ("ben", 200.0, 201.0)])
    assert away(played, "ben", 0, 100) == pytest.approx(10.5 + STARTING)
    assert away(played, "ben", 190, 300) == pytest.approx(1 + STARTING)
    assert away(played, "ada", 0, 100) == 0


@pytest.mark.unit
def test_courses_hold_all_deeds_one_after_the_other() -> None:
    found = courses(1, 200, 50, ("ada", "ben"))
    assert sorted(gust.kind for gust in found.gusts) == ["kill"] * 200 + ["stop"] * 50
    for node in ("ada", "ben"):
        own = [gust for gust in found.gusts if gust.where == node]
        assert all(before.ends < after.at for before, after in pairwise(own))


@pytest.mark.unit
def test_lines_are_events_weather_or_foreign(tmp_path: Path) -> None:
    file = tmp_path / "log"
    lines = ('{"event": "step", "round": 1}', '{"event": "weather", "detail": "the server :81 is away 7 s"}')
    file.write_text("\n".join((*lines, "Traceback 17", "Traceback 18", "[1]")))
    body = said_by({"ada": file})["ada"].body()
    assert (body["lines"], body["others"], body["examples"]) == (4, 3, ["Traceback #", "[#]"])
    assert body["weather"] == {"the server # is away # s": 1}


@pytest.mark.unit
def test_a_server_tells_of_outages_in_plain_lines(tmp_path: Path) -> None:
    file = tmp_path / "log"
    lines: list[str] = []
    now = [0.0]
    outage = Outage("the chain node", lines.append, grace=0, clock=lambda: now[0])
    for now[0] in (0.0, 61.0):
        outage.failed("it answers 502")
    outage.ended()
    file.write_text("\n".join(lines))
    body = said_by({"keeper": file})["keeper"].body()
    assert (body["lines"], body["others"]) == (len(lines), 0)
    assert len(lines) == 3


@pytest.mark.integration
def test_an_unordered_end_is_noted_and_the_party_goes_on(tmp_path: Path) -> None:
    party = Party("ada", ("no-such-command",), tmp_path / "log", {})
    party.start()
    assert party.process is not None
    party.process.wait()
    party.look(7.0)
    (end,) = party.ended
    assert (end.party, end.status, end.at, party.starts) == ("ada", 2, 7.0, 2)
    assert "no-such-command" in end.last
    party.close()


@pytest.mark.integration
def test_a_kill_or_an_ordered_end_is_not_noted(tmp_path: Path) -> None:
    party = Party("chain", ("chain", "--port", "0"), tmp_path / "log", {})
    party.start()
    party.kill()
    party.look(1.0)
    assert (party.ended, party.group) == ([], 0)
    party.start()
    party.stop()
    while Path(f"/proc/{party.group}/stat").read_text().split(") ")[1][0] != "T":
        time.sleep(0.01)  # signals take their time; the suite's time-out ends this where none comes
    party.go_on()
    party.close()
    assert party.ended == []
