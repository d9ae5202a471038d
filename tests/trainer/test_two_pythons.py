"""The same torch computes the same bits under another Python, and no profile names the Python."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from tests.sources import ROOT
from trainer.steps.determinism import configure_determinism
from trainer.steps.profile import NumericsProfile

pytestmark = pytest.mark.integration
OTHERS = [path for path in sorted(ROOT.glob(".venv-*/bin/python")) if path != Path(sys.executable)]
"""Made by `make test-python PYTHON=python3.13 VENV=.venv-3.13`."""
SAY = """
import json
from dataclasses import asdict
from trainer.steps.determinism import configure_determinism
print(json.dumps(asdict(configure_determinism("exact"))))
"""


def test_no_profile_names_the_python() -> None:
    assert not [field.name for field in fields(NumericsProfile) if "python" in field.name]


@pytest.mark.skipif(not OTHERS, reason="no second Python is installed beside .venv (make test-python)")
def test_another_python_computes_the_same_bits() -> None:
    own, compared = asdict(configure_determinism("exact")), 0
    for python in OTHERS:
        done = subprocess.run([python, "-c", SAY], cwd=ROOT, capture_output=True, text=True, check=True)
        other = json.loads(done.stdout.splitlines()[-1])
        if other["torch_version"].partition("+")[0] == own["torch_version"].partition("+")[0]:
            assert other["computed"] == own["computed"]
            compared += 1
    if not compared:
        pytest.skip("each has another torch")
