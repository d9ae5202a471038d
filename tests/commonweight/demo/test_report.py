"""The page and the picture that a demo leaves behind, from a summary with known numbers."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from commonweight.demo.report import loss_figure, print_summary, write_report
from tests.commonweight.demo.summaries import summary

pytestmark = pytest.mark.unit


class Page(HTMLParser):
    """Rows of all tables, headings, and the tags that were left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows, self.tags, self._cell = list[list[str]](), set[str](), False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data


def test_the_page_holds_every_number_of_the_summary(tmp_path: Path) -> None:
    page = write_report(tmp_path, summary())
    assert page == (tmp_path / "report.html").resolve()
    rows = Page(page.read_text()).rows
    assert ["ada", "80", "80", "0", "", "600,000.000000000000000001", "60.00 %"] in rows
    assert ["cal", "80", "0", "80", "update-out-of-bounds", "0", "0.00 %"] in rows
    assert [
        "1",
        "cal",
        "voided",
        "update-out-of-bounds",
        "0.61",
        "2.5e-05",
        "vera 1,4; vito 0,7",
        "vera·1 false",
    ] in rows
    assert ["2", "ada, ben, cal", "ben", "0.0005", "0x02" + "cd" * 11 + "…", "2.7000"] in rows
    assert ["holds", "the cheat holds nothing"] in rows
    assert ["3", "anchor:1", "mined", "9", "0x" + "fe" * 32] in rows


def test_a_summary_stands_in_json_as_scripts_read_it() -> None:
    said = json.loads(json.dumps(summary().to_json()))
    assert set(said) == {
        "baselines",
        "chain",
        "checks",
        "decisions",
        "epoch",
        "nodes",
        "rounds",
        "run",
        "seconds",
        "seed",
        "tally",
        "transactions",
        "verdicts",
    }
    assert said["tally"]["api"] == {"against": "0", "for": str(10**24), "abstain": "0"}
    assert set(said["verdicts"][0]) == {
        "bench",
        "decided",
        "draws",
        "error",
        "limit",
        "node",
        "proof",
        "reason",
        "round",
        "state",
        "words",
    }
    assert (said["verdicts"][1]["state"], said["verdicts"][0]["reason"]) == ("voided", None)
    assert said["transactions"][0]["state"] == "mined"


def test_two_who_find_one_segment_false_decide_a_proof() -> None:
    proof = summary().verdicts[1]
    assert not proof.is_decided_by_k()
    both = [*proof.words, *(word.model_copy(update={"verifier": "vito"}) for word in proof.words)]
    assert proof.model_copy(update={"words": both}).is_decided_by_k()
    assert not proof.model_copy(update={"words": both, "decided": {"1": True}}).is_decided_by_k()


def test_the_page_stands_alone_and_carries_the_curve(tmp_path: Path) -> None:
    text = write_report(tmp_path, summary()).read_text()
    assert "svg" in Page(text).tags
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_a_failed_check_is_shouted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = summary(checks={"the root on the chain is the one in the log": False})
    page = write_report(tmp_path, failed)
    assert ["FAILS", "the root on the chain is the one in the log"] in Page(page.read_text()).rows
    print_summary(failed, page)
    said = capsys.readouterr().out
    assert "FAILS  the root on the chain is the one in the log" in said
    assert "supply 1,000,000 tokens" in said


def test_what_people_wrote_is_text_on_the_page(tmp_path: Path) -> None:
    text = write_report(tmp_path, summary(checks={"<script>alert(1)</script>": True})).read_text()
    assert "script" not in Page(text).tags


def test_the_figure_draws_the_three_curves_from_one_start() -> None:
    lines = {
        str(line.get_label()): [float(y) for y in np.asarray(line.get_ydata())]
        for line in loss_figure(summary()).axes[0].lines
    }
    assert list(lines.values()) == [[4.0, 3.1, 2.7], [4.0, 3.4, 3.0], [4.0, 3.0, 2.6]]
    assert [label.split()[0] for label in lines] == ["together", "one", "data-parallel,"]
