"""What the log of a server tells: every kind of change, each with ids whole, and an outage once."""

from __future__ import annotations

import dataclasses
import logging
import re
from enum import StrEnum
from functools import partial
from typing import Any, get_type_hints

import pytest
from requests.exceptions import ConnectionError as Lost

from contracts.ids import beneath
from contracts.process.outage import GRACE_SECONDS
from contracts.protocol.judge import entries, facts
from ledger.clock.keeper import Outages
from ledger.clock.news import LINES, News
from ledger.errors import DatabaseUnreachable

pytestmark = pytest.mark.unit
QUIET = {
    facts.Rules,
    facts.Block,
    facts.Has,
    facts.Seen,
    facts.Secret,
    facts.Opened,
    facts.Words,
    facts.PledgeOpened,
    facts.TraceShown,
    facts.MergeSigned,
    facts.Lapse,
    entries.BeaconFixed,
    entries.PanelDrawn,
    entries.SeatsFilled,
    entries.Drawn,
    entries.OpeningsClosed,
    entries.SecondLook,
    entries.SegmentDecided,
    entries.PanelSpoken,
    entries.Overruled,
    entries.MergeSet,
}
"""Steps in between, of which there are many."""


def all_kinds(base: type) -> set[type]:
    kinds: list[type] = base.__subclasses__()
    return {kind for kind in kinds if dataclasses.is_dataclass(kind)}


def example(kind: Any) -> Any:
    kind = beneath(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return next(iter(kind))
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: example(hints[field.name]) for field in dataclasses.fields(kind)})  # type: ignore[operator]
    return {int: 7, str: "0x" + "ab" * 32, bool: True}.get(kind, () if "tuple" in str(kind) else None)


def test_every_kind_of_entry_is_told_or_known_to_be_quiet() -> None:
    kinds = {kind.__name__ for kind in all_kinds(facts.Fact) | all_kinds(entries.Derived)}
    told, quiet = ({kind.__name__ for kind in some} for some in (LINES, QUIET))
    assert told | quiet == kinds
    assert not told & quiet


@pytest.mark.parametrize("kind", LINES, ids=lambda kind: kind.__name__)
def test_a_line_has_whole_ids_and_no_python(kind: type) -> None:
    line = LINES[kind](example(kind))
    assert "…" not in line
    assert not re.search(r"None|<|\{|\(\)", line), line
    assert "\n" not in line


def test_a_new_configuration_says_what_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    news, opened = News(), example(entries.RoundOpened)
    for config in ('{"inner_lr":"0.1","steps":5}', '{"inner_lr":"0.1","steps":5}', '{"inner_lr":"0.2","steps":5}'):
        news._tell(dataclasses.replace(opened, config=config))
    changed = [record.message for record in caplog.records if "new configuration" in record.message]
    assert changed == [f"run {opened.run} has a new configuration: inner_lr from 0.1 to 0.2"]


def test_an_outage_is_told_once_and_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    outages = Outages(lambda: now[0])

    def fail(error: Exception) -> None:
        raise error

    for _ in range(20):
        outages.guarded(partial(fail, Lost("x")), "indexer")
        outages.guarded(partial(fail, DatabaseUnreachable("it hung up")), "indexer")
        now[0] += GRACE_SECONDS / 4
    outages.chain_answers()
    outages.database_answers()
    said = [record.message for record in caplog.records]
    assert [line.split(" does not")[0] for line in said[:2]] == ["the chain node", "the database"]
    assert [line.split(" answers again")[0] for line in said[2:]] == ["the chain node", "the database"]


def test_a_step_that_is_broken_has_one_traceback(caplog: pytest.LogCaptureFixture) -> None:
    outages = Outages()
    for _ in range(5):
        outages.guarded(lambda: 1 / 0, "ledger.chainread.indexer.follow")
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert sum(record.exc_info is not None for record in caplog.records) == 1
