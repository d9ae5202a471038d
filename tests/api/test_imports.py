"""The server must run on a machine without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("module", ["api.app", "ledger.clock.keeper"])
def test_the_server_loads_no_torch(module: str) -> None:
    program = (
        f"import {module}, sys;"
        "print([m for m in ('torch', 'trainer', 'verifier', 'celery') if m in sys.modules], 'ledger' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"
