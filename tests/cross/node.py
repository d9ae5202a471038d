"""Ask a script of this folder: JSON in, JSON out, no network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def ask(script: str, question: Any) -> Any:
    """What `node <script>` answers; its stderr is in the error if it fails."""
    done = subprocess.run(
        ["node", script], cwd=FOLDER, input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
