"""What a rented machine runs to join a run: one script, which is no secret to its host but for fresh keys of nodes.

A node's key signs its work and holds no coins; the pay goes to the renter's own address. The script ends by itself when
the hours are over, whether or not anybody is left to end the machine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from commonweight.market.errors import MarketError
from commonweight.market.provider import Bootstrap
from contracts.files.whole_file import create_file
from contracts.ids import Address, as_address
from contracts.process.record import Record

IMAGE = "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime"
"""Of a container where the setting names none; any image with Python 3.11 or newer does."""
_PLAIN = re.compile(r"[\x20-\x7e]*")


class BadBootstrap(MarketError):
    """A text that cannot stand in a machine's script."""

    code = "bad-bootstrap"


@dataclass(frozen=True)
class Joining(Record):
    """What a machine needs to join a run. `package` is what pip installs there: a requirement, or the address of a
    wheel, which `package_sha256` pins where it is given. `deployment` is that file's text; `arguments` go to
    `commonweight node` as they are. After `leave_after` seconds a node does what it owes, and ends; 0 for never."""

    api: str
    run: str
    payout: Address
    deployment: str
    package: str
    package_sha256: str = ""
    rpc_url: str = ""
    device: str = "cuda"
    image: str = IMAGE
    public_key: str = ""
    arguments: tuple[str, ...] = ()
    leave_after: int = 0


@dataclass(frozen=True)
class NodeKey:
    """A node's key as a machine gets it: a keystore's text, its passphrase, and the address."""

    address: Address
    keystore: str
    passphrase: str


def new_node_key(folder: Path) -> NodeKey:
    """A fresh key for one GPU; the renter keeps it beside the journal, in files of mode 0600."""
    from eth_account import Account

    from commonweight.keystore import write_keystore

    folder.mkdir(parents=True, exist_ok=True)
    account = Account.create()
    passphrase = token_hex(16)
    path = folder / f"{account.address}.json"
    write_keystore(path, bytes(account.key), passphrase, iterations=100_000)
    create_file(folder / f"{account.address}.passphrase", f"{passphrase}\n".encode(), 0o600)
    return NodeKey(as_address(str(account.address)), path.read_text(), passphrase)


def joining(terms: Joining, keys: Sequence[NodeKey], seconds: int) -> Bootstrap:
    """The script that starts a node a GPU, each with its own key, and ends after so many seconds.

    Raises BadBootstrap for texts with characters that a script, cloud-init and an SDL do not all carry.
    """
    for text in (terms.api, terms.run, terms.payout, terms.package, terms.rpc_url, terms.device, *terms.arguments):
        if not _PLAIN.fullmatch(text):
            raise BadBootstrap(f"{text[:60]!r} has characters that a machine's script cannot carry")
    lines = [*_setup(terms, seconds), *(line for number, key in enumerate(keys) for line in _node(terms, number, key))]
    return Bootstrap(
        "\n".join([*lines, "exec tail -n +1 -F node-*.log", ""]), terms.image, terms.public_key, (), seconds
    )


def _setup(terms: Joining, seconds: int) -> list[str]:
    package = terms.package
    if terms.package_sha256:
        package = f"{package}#sha256={terms.package_sha256}"
    return [
        "#!/bin/sh",
        "set -eu",
        "umask 077",
        'home="${COMMONWEIGHT_MARKET_HOME:-/opt/commonweight}"',
        'mkdir -p "$home" && cd "$home"',
        f"(sleep {int(seconds)}; touch over; kill $(cat node-*.pid) || true) &",
        "python3 -m venv --system-site-packages env",
        f"env/bin/pip install --quiet {shlex.quote(package)}",
        *_file("deployment.json", terms.deployment),
    ]


def _node(terms: Joining, number: int, key: NodeKey) -> list[str]:
    options = {
        "--api": terms.api,
        "--run": terms.run,
        "--payout": terms.payout,
        "--deployment": "deployment.json",
        "--keystore": f"node-{number}.json",
        "--folder": f"node-{number}",
        "--device": terms.device,
    }
    if terms.rpc_url:
        options["--rpc-url"] = terms.rpc_url
    if terms.leave_after:
        options["--leave-after"] = str(terms.leave_after)
    words = [text for name, value in options.items() for text in (name, shlex.quote(value))]
    words += [shlex.quote(argument) for argument in terms.arguments]
    command = f"env/bin/python -m commonweight node {' '.join(words)}"
    secret = f"COMMONWEIGHT_PASSPHRASE_FILE=node-{number}.passphrase"
    return [
        *_file(f"node-{number}.json", key.keystore),
        *_file(f"node-{number}.passphrase", f"{key.passphrase}\n"),
        f": > node-{number}.log",
        f"(while [ ! -e over ]; do CUDA_VISIBLE_DEVICES={number} {secret} {command} >> node-{number}.log 2>&1 &",
        f"echo $! > node-{number}.pid; wait $! && break; sleep 10; done) &",
    ]


def _file(name: str, text: str) -> list[str]:
    mark = f"end-of-{name}"
    if mark in text:
        raise BadBootstrap(f"{name} holds the line that would end it")
    return [f"cat > {name} <<'{mark}'", text.rstrip("\n"), mark]
