"""A proof with all that its replay takes, in a folder: leaves with their proofs under one signed head, and files.

The folder is filled from a log and from sources that still have the files, and read again without a network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file
from contracts.ids import ProofId
from contracts.messages.signatures import Domain
from contracts.mirrors.places import Web
from contracts.mirrors.reading import LogReader
from contracts.tlog.keys import VerifierKey
from contracts.tlog.policy import NONE, Policy, PolicyLog
from contracts.tlog.proof import parse_proof
from verifier.proof.case import Case, Gathered, case_of
from verifier.proof.replay import needed
from verifier.replay.files import BytesMissing

FORMAT = "commonweight-proof-2"
LEAST_RATE = 50_000
"""Bytes a second below which a file is not waited for."""
_FILE = "proof.json"


class BundleIncomplete(CommonweightError):
    """The folder is not a saved proof, or not one of this log."""

    code = "bundle-incomplete"


@dataclass(frozen=True)
class BundleSource:
    """A source of files: an address, and the path below which the files are."""

    web: Web
    path: str

    def get(self, name: str, most: int) -> bytes | None:
        """A file of at most so many bytes, hashed; None where it is not to be had here."""
        try:
            reply = self.web.get(f"{self.path}{name}", most, 30 + most / LEAST_RATE, tries=1)
        except CommonweightError:
            return None
        return reply.body if reply.status == 200 and blake3(reply.body).hexdigest() == name else None


class BundleFiles:
    """The files of a folder, as replays read them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        """Raises BytesMissing, also for bytes that are not those of the name."""
        try:
            data = (self._folder / name).read_bytes() if name else b""
        except OSError:
            raise BytesMissing([name]) from None
        if not name or blake3(data).hexdigest() != name:
            raise BytesMissing([name])
        return data

    def add(self, name: str, data: bytes) -> None:
        """Keep bytes that hash to their name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / name, data)


@dataclass(frozen=True)
class Bundle:
    """An opened folder; the deployment is the file's word."""

    deployment: Deployment
    case: Case
    files: BundleFiles


def save_bundle(
    folder: Path,
    proof: ProofId,
    deployment: Deployment,
    reader: LogReader,
    sources: Callable[[Case], Sequence[BundleSource]],
    on_entry: Callable[[int, int], None] = lambda _, __: None,
) -> Bundle:
    """Read the log to its head, keep the proof's leaves, and fetch the files that one of the sources still has.

    Raises ProofUnknown, ProofMismatch, and what reading raises.
    """
    gathered = Gathered(proof, _domain(deployment))
    for index, leaf in enumerate(reader.entries()):
        gathered.take(index, leaf)
        on_entry(index + 1, reader.size)
    entries = [_proven(reader, index, body) for index, body in sorted(gathered.kept.items())]
    case = case_of(proof, gathered.kept, gathered.domain)
    files = BundleFiles(folder / "blobs")
    bundle_sources = sources(case)
    for name, most in needed(case).items():
        _fetch(files, bundle_sources, name, most)
    saved = {"format": FORMAT, "proof": proof, "deployment": asdict(deployment), "entries": entries}
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / _FILE, json.dumps(saved, indent=1).encode())
    return Bundle(deployment, case, files)


def open_bundle(folder: Path, trusted: Deployment | None = None) -> Bundle:
    """Read a folder of `save_bundle`, every entry under the head of the log's key: that of `trusted`, else the file's.

    Raises BundleIncomplete, ProofUnknown, ProofMismatch, and what a bad proof or signature raises.
    """
    try:
        saved = json.loads((folder / _FILE).read_bytes())
        if saved["format"] != FORMAT:
            raise BundleIncomplete(f"{folder} holds a proof in a format that this version does not know")
        deployment = trusted or Deployment.from_mapping(saved["deployment"])
        proof = str(saved["proof"])
        entries = list(saved["entries"])
        leaves = dict(_read(entry, deployment.log_key()) for entry in entries)
    except OSError as error:
        raise BundleIncomplete(f"{folder} holds no saved proof: {_FILE} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BundleIncomplete(f"{folder} holds no saved proof: {_FILE} has another form") from error
    return Bundle(deployment, case_of(ProofId(proof), leaves, _domain(deployment)), BundleFiles(folder / "blobs"))


def _proven(reader: LogReader, index: int, body: str) -> dict[str, object]:
    return {"body": body, "proof": reader.prove(index).format().decode()}


def _read(entry: Mapping[str, Any], log: VerifierKey) -> tuple[int, str]:
    proof = parse_proof(entry["proof"].encode())
    proof.check(entry["body"].encode(), Policy((PolicyLog(log),), (), (), NONE))
    return proof.index, str(entry["body"])


def _fetch(files: BundleFiles, sources: Sequence[BundleSource], name: str, most: int) -> None:
    """Fetch a file from the first source that has it. A file without a source is missing: the replay says so."""
    try:
        files.read(name)
        return
    except BytesMissing:
        data = next((body for source in sources if (body := source.get(name, most)) is not None), None)
    if data is not None:
        files.add(name, data)


def _domain(deployment: Deployment) -> Domain:
    return Domain(deployment.chain_id, deployment.model_registry)
