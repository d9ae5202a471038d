"""A short run of the bench on both databases: every answer is one that the document names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.http_contract import KINDS
from tests.sources import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.long]


@pytest.mark.parametrize("database", KINDS)
def test_answers_are_those_of_the_document(database: str) -> None:
    command = [sys.executable, "-m", "benchmarks.http_contract", "--examples", "2", "--database", database]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
