"""Open a run: its configuration, and the terms by which the rules judge it, signed by the model's creator."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from commonweight.model.admitting import admitting
from contracts.ids import Address, RunId, from_hex
from contracts.messages.for_log import RunTerms
from contracts.protocol.configuration.field_checks import invalid
from contracts.protocol.configuration.profiles import SEVERAL
from contracts.protocol.limits import LimitTable
from contracts.protocol.own_model import settings_text
from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import fields_of
from contracts.tensors.state_layout import inner_digest
from contracts.tensors.tensorfile import state_digest
from trainer.client import ApiClient
from trainer.data.corpora import index_bytes
from trainer.data.corpus import OtherVocabulary
from trainer.data.index import BYTES, CorpusIndex, read_index
from trainer.data.origins import origin_of
from trainer.data.text import corpus_of
from trainer.genesis.first_weights import choose_weights, first_theta
from trainer.genesis.importing import weights_fields
from trainer.genesis.place import WeightsPlace
from trainer.model.own.interface import UNMEASURED, measured
from trainer.model.state import start_tensors
from trainer.steps.determinism import profile_of


@dataclass(frozen=True)
class RunRules:
    """The numbers of a run's terms: `emission` in token units an epoch, times in seconds, `node_stake` in wei,
    `least_rate` in bytes a second; `profiles` are digests (0x-hex) beside this machine's own, and `admit` the words for
    those of a run of several (commonweight/model/admitting.py): one of both at most."""

    emission: int
    rounds_per_epoch: int = 4
    min_nodes: int = 1
    max_nodes: int = 64
    panel: int = 0
    samples: int = 2
    audit_floor_ppm: int = 1_000_000
    node_stake: int = 0
    beacon_span: int = 60
    root_seconds: int = 30 * 86_400
    behind_rounds: int = 5
    canaries: int = 1
    canary_window: int = 10
    period_seconds: int = 600
    lease_seconds: int = 60
    least_rate: int = 100_000
    nonce: int = 1
    profiles: tuple[str, ...] = ()
    admit: tuple[str, ...] = ()


class RunText(NamedTuple):
    """Text and first weights of a run as its creator gives them: plain files, or the folder or address of an index; the
    folder or address of weights, or empty."""

    data: tuple[Path, ...] = ()
    corpus: str = ""
    weights: str = ""


def open_run(
    api_url: str,
    key: str,
    overrides: Mapping[str, Any],
    rules: RunRules,
    text: RunText,
    limits: LimitTable | None = None,
    size: str = "",
) -> RunId:
    """Open the run and return its id, 0x-hex. Overrides go before what the text says, and
    that before a named size.

    Raises InvalidRunConfig, WrongCorpus, UnusableCorpus, CorpusUnreachable, ModelPackageMissing, ModelPackageDiffers,
    InvalidModelPackage, ApiProblem and ApiUnreachable; and for one's own model InvalidLimits and PairRefused.
    """
    model = dict(fields_of(size) if size else {}) | _weights_fields(text.weights)
    fields = model | _text_fields(text, model | dict(overrides))
    config = admitting(config_of(overrides, fields, limits), rules.admit)
    if limits is not None and config.architecture == "own":
        limits.require_measured(profile_of(config).digest())
    client = ApiClient(api_url, key)
    deployed = from_hex(client.network.deployment.model)
    beside = {"config": config.to_json()} | ({} if limits is None else {"limits": limits.to_json()})
    accepted = client.give(terms(deployed, client.address, config, rules), **beside)
    return RunId(accepted.digest)


def terms(model: bytes, creator: Address, config: RunConfig, rules: RunRules) -> RunTerms:
    """The terms that the creator signs: every node that joins computes their digests anew. Raises InvalidRunConfig."""
    theta = first_theta(config)
    zero = {name: np.zeros_like(value) for name, value in theta.items()}
    return RunTerms(
        model=model,
        creator=creator,
        config=config.digest(),
        genesis=state_digest(theta),
        emission=rules.emission,
        roundsPerEpoch=rules.rounds_per_epoch,
        minNodes=rules.min_nodes,
        maxNodes=rules.max_nodes,
        panel=rules.panel,
        samples=rules.samples,
        auditFloor=rules.audit_floor_ppm,
        nodeStake=rules.node_stake,
        beaconSpan=rules.beacon_span,
        rootSeconds=rules.root_seconds,
        behindRounds=rules.behind_rounds,
        canaries=rules.canaries,
        canaryWindow=rules.canary_window,
        periodSeconds=rules.period_seconds,
        leaseSeconds=rules.lease_seconds,
        leastRate=rules.least_rate,
        profiles=_profiles(config, rules),
        momentum=state_digest(zero),
        inner=inner_digest(start_tensors(theta, None)),
        nonce=rules.nonce,
    )


def _profiles(config: RunConfig, rules: RunRules) -> tuple[bytes, ...]:
    """Those that the configuration lists, or this machine's and those of the rules. Raises InvalidRunConfig."""
    if config.profile != SEVERAL:
        return tuple(dict.fromkeys((profile_of(config).digest(), *map(from_hex, rules.profiles))))
    if rules.profiles:
        raise invalid("profiles", "are listed in the configuration: none is named beside them")
    return tuple(from_hex(profile.digest) for profile in config.admitted)


def _text_fields(text: RunText, model: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says of its text; a llama tells documents apart where the tokenizer does.

    Raises CorpusUnreachable, WrongCorpus and UnusableCorpus.
    """
    if not text.corpus:
        return {"corpus_digest": corpus_of(text.data).digest}
    origin = origin_of(text.corpus)
    index = read_index(index_bytes(origin), str(origin))
    url = {"corpus_url": text.corpus} if _is_http(text.corpus) else {}
    tokenizer = index.tokenizer if model.get("architecture") == "llama" else None
    ends = {} if tokenizer is None else {"document_end": tokenizer.document_end}
    vocab = _vocab(index, model) if "weights_blob" in model else max(index.vocab, BYTES)
    return {"corpus_digest": index.digest(), "vocab": vocab, **url, **ends}


def _vocab(index: CorpusIndex, model: Mapping[str, Any]) -> int:
    """The vocabulary of weights that are there already. Raises OtherVocabulary."""
    if index.vocab > model["vocab"]:
        raise OtherVocabulary(f"the corpus has {index.vocab} tokens, and the weights have {model['vocab']}")
    return int(model["vocab"])


def _weights_fields(place: str) -> dict[str, Any]:
    """What a configuration says of weights that a run begins with. Raises CorpusUnreachable and WrongWeights."""
    if not place:
        return {}
    choose_weights(WeightsPlace(place, Path(tempfile.mkdtemp(prefix="commonweight-weights-"))))
    return {**weights_fields(origin_of(place)), **({"weights_url": place} if _is_http(place) else {})}


def _is_http(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def config_of(
    overrides: Mapping[str, Any], base: Mapping[str, Any] | None = None, limits: LimitTable | None = None
) -> RunConfig:
    """The configuration of these fields, overrides first, with the sizes of one's own model measured.

    Raises InvalidRunConfig, ModelPackageMissing, ModelPackageDiffers and InvalidModelPackage.
    """
    bounded = {} if limits is None else {"profile": "bounded", "limits_digest": limits.digest().hex()}
    fields = asdict(RunConfig()) | dict(base or {}) | bounded | dict(overrides)
    if fields["architecture"] != "own":
        return RunConfig.from_json(json.dumps(fields))
    own = {**fields, **UNMEASURED, **overrides, "model_config": _settings(fields["model_config"])}
    return measured(RunConfig.from_json(json.dumps(own)))


def _settings(given: object) -> object:
    """A model's settings as the configuration spells them, where an object is given."""
    return settings_text(given) if isinstance(given, dict) else given
