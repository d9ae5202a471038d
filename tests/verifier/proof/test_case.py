"""What the log says of one proof: gathered in one pass, believed only as it is signed and bound to the commitment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.chain.deployment import Deployment
from contracts.errors import BadSignature, CommonweightError
from contracts.ids import ProofId, to_hex
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.mirrors.places import FolderPlace
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.codec import canonical
from contracts.protocol.log.operator import LogSigner
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, key
from tests.verifier.log.files import OPERATOR, deployment, write_log
from verifier.proof.bundle import BundleIncomplete, BundleSource, open_bundle, save_bundle
from verifier.proof.case import Case, Gathered, ProofMismatch, ProofUnknown, case_of

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


def proofs(run: SignedRun) -> list[ProofId]:
    """Ids of all proofs, in the order of their entries."""
    drawn = (json.loads(leaf) for leaf in run.leaves)
    return [body["proof"] for body in drawn if body["kind"] == "panel-drawn"]


def gathered(run: SignedRun, proof: ProofId) -> Gathered:
    found = Gathered(proof, DOMAIN)
    for index, leaf in enumerate(run.leaves):
        found.take(index, leaf.encode())
    return found


def case(run: SignedRun, proof: ProofId, change: Callable[[dict[int, str]], None] = lambda _: None) -> Case:
    kept = dict(gathered(run, proof).kept)
    change(kept)
    return case_of(proof, kept, DOMAIN)


def test_a_case_tells_a_proofs_round_openings_words_and_end(run: SignedRun) -> None:
    for number, proof in enumerate(proofs(run)):
        found = case(run, proof)
        assert found.round.round == found.commitment.round == number // 2 + 1
        assert found.outcome == "posted"
        spoken = {words.verifier for words in found.words}
        assert len(spoken) >= 2
        assert spoken <= set(found.draws) <= {verifier.address for verifier in run.verifiers}
        drawn = {segment for segments in found.draws.values() for segment in segments}
        assert drawn <= set(found.openings)
        assert found.panel is not None
        assert len(found.theta_blobs) == (0 if found.round.round == 1 else 1)


def test_no_more_is_kept_than_one_proof_needs(run: SignedRun) -> None:
    first = gathered(run, proofs(run)[0])
    kinds = [json.loads(leaf)["kind"] for leaf in first.kept.values()]
    assert kinds.count("commitment") == kinds.count("run-terms") == kinds.count("round-opened") == 1
    assert len(first.kept) < len(run.leaves) / 3
    assert gathered(run, ProofId("0x" + "12" * 32)).kept == {}


def test_outer_states_are_forgotten_beyond_a_bound(run: SignedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.proof.case.MOST_MERGES", 0)
    assert case(run, proofs(run)[-1]).theta_blobs == ()


def edited(kind: str, **fields: Any) -> Callable[[dict[int, str]], None]:
    def change(kept: dict[int, str]) -> None:
        index = next(i for i, leaf in kept.items() if json.loads(leaf)["kind"] == kind)
        kept[index] = canonical(json.loads(kept[index]) | fields)

    return change


def without(kind: str) -> Callable[[dict[int, str]], None]:
    def change(kept: dict[int, str]) -> None:
        for index in [i for i, leaf in kept.items() if json.loads(leaf)["kind"] == kind]:
            del kept[index]

    return change


def _other_boundary(kept: dict[int, str]) -> None:
    """An opening that its node signed, of a boundary that it did not commit to at that place."""
    index = next(i for i, leaf in kept.items() if json.loads(leaf)["kind"] == "state-opening")
    body = json.loads(kept[index])
    body["beside"]["path"] = body["beside"]["path"][::-1]
    kept[index] = canonical(body)


def _foreign_words(kept: dict[int, str]) -> None:
    said = [i for i, leaf in kept.items() if json.loads(leaf)["kind"] == "verdict"]
    body = json.loads(kept[said[0]])
    kept[said[0]] = canonical(body | {"signatures": json.loads(kept[said[1]])["signatures"]})


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (without("commitment"), ProofUnknown),
        (without("round-opened"), ProofUnknown),
        (without("run-terms"), ProofUnknown),
        (edited("round-opened", theta="0x" + "11" * 32), ProofMismatch),
        (edited("round-opened", data_seed="0x" + "11" * 32), ProofMismatch),
        (edited("round-opened", nodes=[]), ProofMismatch),
        (edited("round-opened", run="0x" + "11" * 32), ProofMismatch),
        (_other_boundary, ProofMismatch),
        (_foreign_words, BadSignature),
    ],
)
def test_what_does_not_belong_together_is_refused(
    run: SignedRun, change: Callable[[dict[int, str]], None], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        case(run, proofs(run)[0], change)


# ---- as a folder


@pytest.fixture(scope="module")
def reader(run: SignedRun, tmp_path_factory: pytest.TempPathFactory) -> LogReader:
    folder = write_log(tmp_path_factory.mktemp("log"), run.leaves)
    return LogReader(FolderPlace(folder), OPERATOR.public)


def saved(run: SignedRun, reader: LogReader, folder: Path) -> Path:
    save_bundle(folder, proofs(run)[0], deployment(), reader, lambda _: [])
    return folder


def test_a_folder_gives_the_same_as_the_log(run: SignedRun, reader: LogReader, tmp_path: Path) -> None:
    bundle = open_bundle(saved(run, reader, tmp_path), deployment())
    assert bundle.case == case(run, proofs(run)[0])
    assert bundle.deployment == open_bundle(tmp_path).deployment == deployment()


def _rewrite(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        body = json.loads((folder / "proof.json").read_text())
        change(body)
        (folder / "proof.json").write_text(json.dumps(body))

    return apply


def _swap(body: dict[str, Any]) -> None:
    first, second = body["entries"][:2]
    first["body"], second["body"] = second["body"], first["body"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_rewrite(lambda body: body.update(format="commonweight-proof-1")), "bundle-incomplete"),
        (_rewrite(lambda body: body.pop("entries")), "bundle-incomplete"),
        (_rewrite(lambda body: body["entries"].append(7)), "bundle-incomplete"),
        (lambda folder: (folder / "proof.json").write_text("{"), "bundle-incomplete"),
        (_rewrite(lambda body: body["entries"][0].update(body="{}")), "invalid-merkle-proof"),
        (_rewrite(_swap), "invalid-merkle-proof"),
        (_rewrite(lambda body: body["entries"][0].update(proof="")), "invalid-log-proof"),
        (_rewrite(lambda body: body.update(proof="0x" + "12" * 32)), "proof-unknown"),
    ],
)
def test_a_folder_that_was_changed_is_refused(
    run: SignedRun, reader: LogReader, tmp_path: Path, change: Callable[[Path], None], code: str
) -> None:
    folder = saved(run, reader, tmp_path)
    change(folder)
    with pytest.raises(CommonweightError) as refused:
        open_bundle(folder, deployment())
    assert refused.value.code == code


def test_a_folder_of_another_operator_is_refused(run: SignedRun, reader: LogReader, tmp_path: Path) -> None:
    folder = saved(run, reader, tmp_path)
    stranger = LogSigner.of(bytes(key("stranger").key)).public.vkey()
    with pytest.raises(CommonweightError) as refused:
        open_bundle(folder, Deployment.from_mapping(json.loads(deployment().to_json()) | {"log": stranger}))
    assert refused.value.code == "policy-not-met"
    with pytest.raises(BundleIncomplete):
        open_bundle(tmp_path / "nowhere")


class Lender(BundleSource):
    """Gives these bytes, and notes what it was asked for."""

    def __init__(self, data: bytes | None) -> None:
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "asked", {})

    def get(self, name: str, most: int) -> bytes | None:
        self.asked[name] = most  # type: ignore[attr-defined]
        return self.data  # type: ignore[attr-defined, no-any-return]


def test_files_are_asked_for_by_name_with_a_bound(run: SignedRun, reader: LogReader, tmp_path: Path) -> None:
    first, second = Lender(None), Lender(None)
    bundle = save_bundle(tmp_path, proofs(run)[0], deployment(), reader, lambda _: [first, second])
    opened = {opening.blob: opening.size for opening in bundle.case.openings.values()}
    assert first.asked == second.asked == opened  # type: ignore[attr-defined]
    assert to_hex(SHA256_TREE.root([])) != ""
