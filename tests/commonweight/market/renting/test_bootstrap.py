"""The script of a rented machine: what is in it, what cannot be, and what a shell makes of it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from commonweight.market.renting.bootstrap import BadBootstrap, Joining, joining, new_node_key
from contracts.ids import as_address

pytestmark = pytest.mark.unit
TERMS = Joining(
    api="http://127.0.0.1:8800",
    run="0x" + "ab" * 32,
    payout=as_address("0x" + "11" * 20),
    deployment='{"chain_id": 1}',
    package="commonweight",
    arguments=("--data=/a folder/it's here",),
)
FAKE = r"""#!/bin/sh
if [ "$2" = venv ]; then mkdir -p env/bin; cp "$0" env/bin/python; cp "$0" env/bin/pip; exit 0; fi
case "$0" in *pip) printf '%s\n' "$@" > pip.txt; exit 0;; esac
for word in "$@"; do printf '%s\n' "$word" >> words-$CUDA_VISIBLE_DEVICES.txt; done
cat "$COMMONWEIGHT_PASSPHRASE_FILE" > seen-$CUDA_VISIBLE_DEVICES.txt
"""
WAIT = r"""#!/bin/sh
while [ "$(ls seen-*.txt 2>/dev/null | wc -l)" -lt "$(ls node-*.json | wc -l)" ]; do sleep 0.05; done
"""
"""In the place of `tail`, which shows the nodes' output for ever: until each node has begun."""
HOSTILE = "x'; touch /work/owned; echo '"


def run(script: str, folder: Path) -> list[list[str]]:
    """What the nodes of a script were started with, on a machine whose Python only writes that down."""
    bin_ = folder / "bin"
    bin_.mkdir()
    (bin_ / "python3").write_text(FAKE)
    (bin_ / "python3").chmod(0o755)
    (bin_ / "tail").write_text(WAIT)
    (bin_ / "tail").chmod(0o755)
    home = folder / "home"
    env = {"PATH": f"{bin_}:{os.environ['PATH']}", "COMMONWEIGHT_MARKET_HOME": str(home)}
    subprocess.run(["sh", "-c", script], env=env, check=True, capture_output=True, timeout=60)
    return [path.read_text().splitlines() for path in sorted(home.glob("words-*.txt"))]


def test_each_gpu_has_a_node_with_its_own_key(tmp_path: Path) -> None:
    keys = [new_node_key(tmp_path / "nodes") for _ in range(2)]
    nodes = run(joining(TERMS, keys, 2).script, tmp_path)
    assert [words[words.index("--keystore") + 1] for words in nodes] == ["node-0.json", "node-1.json"]
    for words in nodes:
        assert words[:3] == ["-m", "commonweight", "node"]
        assert words[-1] == "--data=/a folder/it's here"
        assert words[words.index("--payout") + 1] == TERMS.payout
    home = tmp_path / "home"
    stored = [json.loads((home / f"node-{n}.json").read_text())["address"] for n in range(2)]
    assert [f"0x{address}".lower().replace("0x0x", "0x") for address in stored] == [key.address.lower() for key in keys]
    assert [(home / f"seen-{n}.txt").read_text().strip() for n in range(2)] == [key.passphrase for key in keys]
    assert (home / "node-0.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("field", ["api", "run", "package", "rpc_url", "device"])
def test_no_text_breaks_out_of_the_script(tmp_path: Path, field: str) -> None:
    key = new_node_key(tmp_path / "nodes")
    script = joining(Joining.from_json(TERMS.to_json() | {field: HOSTILE}), [key], 2).script
    words = run(script, tmp_path)[0] + (tmp_path / "home" / "pip.txt").read_text().splitlines()
    assert HOSTILE in words


@pytest.mark.parametrize("text", ["two\nlines", "nul\0", "umlaut ü"])
def test_a_text_that_no_machine_carries_is_refused(text: str) -> None:
    with pytest.raises(BadBootstrap):
        joining(replace(TERMS, package=text), [], 60)


def test_a_deployment_cannot_end_its_own_file() -> None:
    with pytest.raises(BadBootstrap):
        joining(replace(TERMS, deployment="{}\nend-of-deployment.json\nrm -rf ~"), [], 60)


def test_a_wheel_is_pinned(tmp_path: Path) -> None:
    terms = replace(TERMS, package="http://10.0.0.1/c.whl", package_sha256="ab" * 32)
    run(joining(terms, [new_node_key(tmp_path / "nodes")], 2).script, tmp_path)
    assert (tmp_path / "home" / "pip.txt").read_text().splitlines()[-1] == f"http://10.0.0.1/c.whl#sha256={'ab' * 32}"


def test_keys_stay_with_the_renter_in_files_of_its_own(tmp_path: Path) -> None:
    key = new_node_key(tmp_path)
    for name in (f"{key.address}.json", f"{key.address}.passphrase"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
