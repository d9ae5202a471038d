"""The run configuration: every public number that determines what an honest node computes.

Rates are decimal *strings*: the canonical JSON holds no float, and its digest is the same on every machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal

from contracts.protocol.configuration.field_checks import InvalidRunConfig as InvalidRunConfig
from contracts.protocol.configuration.field_checks import (
    check_digest,
    check_integer,
    check_maintainers,
    check_mixture,
    check_rate,
    check_url,
    check_urls,
    invalid,
)
from contracts.protocol.configuration.profiles import EXACT, SEVERAL, AdmittedProfile, parse_profiles
from contracts.protocol.own_model import InvalidOwnModel, check_own_model

_INTEGER_RANGES: Mapping[str, tuple[int, int]] = {
    "layers": (1, 128),
    "d_model": (8, 16_384),
    "heads": (1, 256),
    "kv_heads": (0, 256),
    "mlp_width": (0, 65_536),
    "rotary_base": (100, 10_000_000),
    "context": (8, 32_768),
    "vocab": (256, 262_144),
    "document_end": (-1, 262_143),
    "steps": (1, 10_000),
    "segment": (1, 1_000),
    "batch": (1, 4096),
    "micro_batch": (0, 4096),
    "ranks": (1, 1024),
    "rounds": (1, 1_000_000),
    "warmup_steps": (0, 10_000_000),
    "decay_steps": (0, 1_000_000_000),
    "seed": (0, 2**63 - 1),
    "compute_weight": (1, 1_000_000),
    "code_weight": (0, 1_000_000),
    "data_weight": (0, 1_000_000),
    "capital_weight": (0, 1_000_000),
    "capital_cap": (0, 2**53 - 1),
    "payback_budget": (0, 2**53 - 1),
    "token_price": (0, 10**12),
    "weights_size": (0, 2**41),
    "state_size": (0, 2**43),
}
_RATE_RANGES: Mapping[str, tuple[str, str]] = {
    "inner_lr": ("0.0000001", "1"),
    "final_share": ("0", "1"),
    "beta1": ("0", "0.9999"),
    "beta2": ("0", "0.99999"),
    "eps": ("0.000000000001", "0.01"),
    "weight_decay": ("0", "1"),
    "clip": ("0.0001", "1000"),
    "norm_eps": ("0.00000001", "0.01"),
    "outer_lr": ("0.0001", "2"),
    "outer_momentum": ("0", "0.999"),
}
_TEXTS = ("maintainers", "mixture", "corpus_url", "weights_url", "merge")
"""Votable keys that are neither numbers nor rates: each has a check of its own."""
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "architecture": ("gpt", "llama", "own"),
    "schedule": ("constant", "cosine", "wsd"),
    "merge": ("mean", "clip", "trimmed", "median"),
    "profile": (EXACT, "portable", "bounded", SEVERAL),
    "precision": ("float32", "bf16"),
}
_OF_LLAMA = ("kv_heads", "mlp_width", "rotary_base", "norm_eps", "tied")
_OF_OURS = ("layers", "d_model", "heads", "document_end")
_OF_OWN = ("model_package", "model_digest", "model_config", "weights_size", "state_size")
_OF_MONEY = ("capital_weight", "capital_cap", "token_price", "payback_budget")
_LATER = (*_OF_OWN, "ranks", "precision", *_OF_MONEY, "profiles", "corpus_mirrors")
"""They stand in the text only where they are not their default, so that a run without them keeps its digest."""
_LONGEST_BOUNDED_SEGMENT = 10  # a cheat in one step of a longer one is diluted below honest noise
_WHOLE = re.compile(r"[0-9]{1,19}")
NO_BLOB = "00" * 32
"""No file: first weights are drawn from the seed."""
_MAX_JSON_LENGTH = 10_000
_MAX_NUMBER_LENGTH = 20  # 19 digits and a sign

_TOLD_KEYS: tuple[str, ...] = (
    "inner_lr",
    "outer_lr",
    "outer_momentum",
    "weight_decay",
    "clip",
    "rounds",
    "compute_weight",
    "code_weight",
    "data_weight",
    *_TEXTS,
)
"""Votable keys that a refusal names: its sentence is in logs, which are derived anew, and so it never changes."""
VOTABLE_KEYS = (*_TOLD_KEYS, "capital_weight", "token_price", "payback_budget", "corpus_mirrors")
"""The keys that a governance decision may set."""


@dataclass(frozen=True)
class RunConfig:
    """All that determines a run, besides the corpus bytes named by `corpus_digest` and the round's data seed.

    `architecture` names the model (contracts/protocol/architecture.py). `kv_heads` and `mlp_width` may be 0: then they
    are what the architecture has by itself (`key_heads`, `mlp_size`). `rotary_base`, `norm_eps` and `tied` embeddings
    are the llama's. `steps` is H, the inner steps a round; every `segment` steps the state is committed; `batch` is in
    sequences of `context` tokens, cut into `ranks` equal blocks whose gradients are added in their order; `micro_batch`
    sequences of a block go through the model at once (0: all), in float32 or, with the `precision` bf16, in bfloat16
    where torch's autocast has it. The learning rate follows `schedule` (contracts/protocol/schedule.py), and
    pseudo-gradients are averaged by `merge` (trainer/steps/averaging.py). A bounded run names its table of limits
    (contracts/protocol/limits.py) by digest; a run of `several` profiles lists them (configuration/profiles.py).
    `corpus_digest` names the text: the digest of an index of token shards (trainer/data/index.py), or of plain text.
    `corpus_url` and `corpus_mirrors` (addresses with a space between) are hints where the index and its shards lie,
    `mixture` is the weights of its sources; of a llama or gpt, the token `document_end` ends a document, and no
    position looks beyond it (-1: documents are not told apart). First weights are drawn from `seed`, or read from the
    file `weights_blob`, which lies at `weights_url`. An own model is the Python package `model_package`, whose files
    have the `model_digest`; it is told `model_config` (canonical JSON), and its weights and states are files of
    `weights_size` and `state_size` bytes.
    An epoch's emission is split over the kinds of contribution by their weights. `maintainers` vouch for code, data and
    invoices: "k:" and n addresses, sorted and joined by commas, or nothing. With a `token_price` a run takes invoices
    (judge/rules/invoices.py): `capital_cap` of them at most is capital, `payback_budget` paid back (all in micro-USD).
    Raises InvalidRunConfig, naming the field.
    """

    architecture: str = "gpt"
    layers: int = 2
    d_model: int = 192
    heads: int = 6
    kv_heads: int = 0
    mlp_width: int = 0
    rotary_base: int = 10_000
    norm_eps: str = "0.00001"
    tied: bool = True
    context: int = 64
    vocab: int = 256
    steps: int = 500
    segment: int = 10
    batch: int = 8
    micro_batch: int = 0
    ranks: int = 1
    rounds: int = 4
    inner_lr: str = "0.001"
    schedule: str = "constant"
    warmup_steps: int = 0
    decay_steps: int = 0
    final_share: str = "0.1"
    beta1: str = "0.9"
    beta2: str = "0.99"
    eps: str = "0.00000001"
    weight_decay: str = "0.1"
    clip: str = "1"
    outer_lr: str = "0.7"
    outer_momentum: str = "0.9"
    merge: str = "mean"
    seed: int = 1
    profile: str = EXACT
    profiles: str = ""
    precision: str = "float32"
    corpus_digest: str = "00" * 32
    corpus_url: str = ""
    corpus_mirrors: str = ""
    mixture: str = ""
    document_end: int = -1
    weights_blob: str = NO_BLOB
    weights_url: str = ""
    model_package: str = ""
    model_digest: str = NO_BLOB
    model_config: str = ""
    weights_size: int = 0
    state_size: int = 0
    limits_digest: str = "00" * 32
    compute_weight: int = 70
    code_weight: int = 15
    data_weight: int = 15
    capital_weight: int = 0
    capital_cap: int = 0
    token_price: int = 0
    payback_budget: int = 0
    maintainers: str = ""

    def __post_init__(self) -> None:
        for name, (low, high) in _INTEGER_RANGES.items():
            check_integer(name, getattr(self, name), low, high)
        for name, (lowest, highest) in _RATE_RANGES.items():
            check_rate(name, getattr(self, name), Decimal(lowest), Decimal(highest))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise invalid(name, f"must be one of {', '.join(choices)}")
        if (self.profile == SEVERAL) != bool(parse_profiles(self.profiles)):
            raise invalid("profiles", f"are given by a run of {SEVERAL} profiles, and by no other")
        self._check_model()
        self._check_schedule()
        self._check_batch()
        if self.steps % self.segment:
            raise invalid("steps", "must be a multiple of segment")
        check_maintainers(self.maintainers)
        for name in ("corpus_digest", "weights_blob", "model_digest", "limits_digest"):
            check_digest(name, getattr(self, name))
        check_url("corpus_url", self.corpus_url)
        check_urls("corpus_mirrors", self.corpus_mirrors)
        check_url("weights_url", self.weights_url)
        check_mixture(self.mixture)
        if (self.profile == "bounded") != (self.limits_digest != "00" * 32):
            raise invalid("limits_digest", "is given by a bounded run, and by no other")
        if self.profile == "bounded" and self.segment > _LONGEST_BOUNDED_SEGMENT:
            raise invalid("segment", f"must be at most {_LONGEST_BOUNDED_SEGMENT} in a bounded run")

    def _check_model(self) -> None:
        """Raises InvalidRunConfig."""
        if not isinstance(self.tied, bool):
            raise invalid("tied", "must be true or false")
        if self.d_model % self.heads:
            raise invalid("d_model", "must be a multiple of heads")
        if self.heads % self.key_heads:
            raise invalid("kv_heads", "must divide heads")
        if self.document_end >= self.vocab:
            raise invalid("document_end", "must be a token of the vocabulary, or -1")
        if self.document_end >= 0 and self.architecture == "gpt" and not self._is_exact:
            raise invalid("document_end", "must be -1 in a gpt unless its profile is exact")
        if self.architecture != "own":
            self._check_default(_OF_OWN, "an own model's")
        if self.architecture != "llama":
            self._check_default(_OF_LLAMA, "the llama's")
        if self.architecture == "own":
            self._check_own()
        elif self.architecture == "llama" and self.d_model // self.heads % 2:
            raise invalid("heads", "must be of an even width, since rotary positions turn pairs")

    def _check_default(self, names: tuple[str, ...], whose: str) -> None:
        """What another architecture has is left as it is by itself. Raises InvalidRunConfig."""
        for name in names:
            default = getattr(type(self), name)
            if getattr(self, name) != default:
                raise invalid(name, f"is {whose}, and must be {default!r} in a run of {self.architecture}")

    def _check_own(self) -> None:
        """Raises InvalidRunConfig."""
        self._check_default(_OF_OURS, "the gpt's and the llama's")
        if self.profile == SEVERAL and not self._is_exact:
            raise invalid("profiles", "must all be exact for a model of one's own")
        sizes = {"weights_size": self.weights_size, "state_size": self.state_size}
        try:
            check_own_model(self.model_package, self.model_digest, self.model_config, sizes)
        except InvalidOwnModel as error:
            raise invalid(error.field, error.problem) from error

    def _check_schedule(self) -> None:
        """Raises InvalidRunConfig."""
        if (self.schedule == "wsd") != (self.decay_steps > 0):
            raise invalid("decay_steps", "are given by the schedule wsd, and by no other")
        if self.schedule == "constant" and self.final_share != type(self).final_share:
            raise invalid("final_share", "is that of a cosine or wsd: a constant rate falls nowhere")

    def _check_batch(self) -> None:
        """Raises InvalidRunConfig."""
        if self.batch % self.ranks:
            raise invalid("ranks", "must divide batch")
        if self.micro_batch and self.block % self.micro_batch:
            raise invalid("micro_batch", "must divide batch, and with ranks a block of it, or be 0")
        if self.profile == "bounded" and (self.micro_batch or self.ranks != 1):
            name = "micro_batch" if self.micro_batch else "ranks"
            raise invalid(name, "must be left as it is in a bounded run, where each node has its own")
        if self.precision != "float32" and not self._is_exact:
            raise invalid("precision", f"must be float32 in a run of the profile {self.profile}")

    @property
    def admitted(self) -> tuple[AdmittedProfile, ...]:
        """The profiles that a run of several lists; none in any other, whose profile its manifest alone names."""
        return parse_profiles(self.profiles)

    @property
    def _is_exact(self) -> bool:
        """Whether all work of the run is in some machine's own arithmetic."""
        return {profile.name for profile in self.admitted} == {EXACT} if self.profiles else self.profile == EXACT

    def under(self, profile: str) -> RunConfig:
        """The configuration by which a node of this profile (0x-hex) computes: a run of several as a run of this one,
        any other as it is. Raises InvalidRunConfig."""
        if self.profile != SEVERAL:
            return self
        name = next((admitted.name for admitted in self.admitted if admitted.digest == profile), None)
        if name is None:
            raise invalid("profiles", f"do not hold {profile}")
        return replace(self, profile=name, profiles="")

    @property
    def leading(self) -> RunConfig:
        """The configuration by which a node of the first of several profiles computes; any other as it is."""
        return self.under(self.admitted[0].digest) if self.admitted else self

    @property
    def block(self) -> int:
        """Sequences in one rank's part of a batch."""
        return self.batch // self.ranks

    @property
    def key_heads(self) -> int:
        """Heads of keys and values, each shared by as many heads of queries (grouped-query attention)."""
        return self.kv_heads or self.heads

    @property
    def mlp_size(self) -> int:
        """Width inside the MLP: four times the model's, or with a gate eight thirds, in whole steps of 64."""
        if self.mlp_width:
            return self.mlp_width
        return 4 * self.d_model if self.architecture == "gpt" else -(-8 * self.d_model // 192) * 64

    @property
    def segments(self) -> int:
        """Segments in a round, N = H / k; there are N + 1 boundary states."""
        return self.steps // self.segment

    @property
    def tokens_per_round(self) -> int:
        """Tokens predicted by one node in one round."""
        return self.steps * self.batch * self.context

    def rate(self, name: str) -> float:
        """The rate `name` (for example "inner_lr") as a float64."""
        if name not in _RATE_RANGES:
            raise invalid(name, "is not a rate")
        return float(getattr(self, name))

    def to_json(self) -> str:
        """Canonical JSON: keys sorted, no spaces, ASCII, no floats."""
        later = {name for name in _LATER if getattr(self, name) == getattr(type(self), name)}
        said = {name: value for name, value in asdict(self).items() if name not in later}
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> RunConfig:
        """Parse strictly: the known keys, each once, of which only the `_LATER` ones may be missing. Lengths are
        looked at first. Raises InvalidRunConfig."""
        if len(text) > _MAX_JSON_LENGTH:
            raise invalid("json", f"must have at most {_MAX_JSON_LENGTH} characters")
        try:
            value = json.loads(text, object_pairs_hook=_no_duplicates, parse_int=_short_integer)
        except (ValueError, RecursionError) as error:  # covers JSONDecodeError and UnicodeDecodeError
            raise invalid("json", f"is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise invalid("json", "must be an object")
        field_names = {field.name for field in fields(cls)}
        for name in sorted(value.keys() - field_names):
            raise invalid(name, "is not a known key")
        for name in sorted(field_names - value.keys() - {*_LATER}):
            raise invalid(name, "is missing")
        return cls(**value)

    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON, 32 bytes."""
        return hashlib.sha256(self.to_json().encode("ascii")).digest()

    def with_decision(self, key: str, value: str) -> RunConfig:
        """The configuration after governance set `key`. Raises InvalidRunConfig, also if not votable, and nothing else.

        Whatever holders wrote: spelling and length are checked before a number is read.
        """
        if key not in VOTABLE_KEYS:
            raise invalid(key, f"cannot be voted on; votable are {', '.join(_TOLD_KEYS)}")
        if key in _INTEGER_RANGES:
            return replace(self, **{key: _whole(key, value)})  # type: ignore[arg-type]
        if key in (*_TEXTS, "corpus_mirrors"):
            return replace(self, **{key: value})  # type: ignore[arg-type]
        check_rate(key, value, *(Decimal(bound) for bound in _RATE_RANGES[key]))
        return replace(self, **{key: value})  # type: ignore[arg-type]


def _whole(field: str, value: str) -> int:
    if not _WHOLE.fullmatch(value):
        raise invalid(field, "must be a whole number of at most 19 digits")
    return int(value)


def _short_integer(text: str) -> int:
    if len(text) > _MAX_NUMBER_LENGTH:
        raise invalid("json", f"has a number of more than {_MAX_NUMBER_LENGTH} characters")
    return int(text)


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for name, value in pairs:
        if name in result:
            raise invalid(name, "appears twice")
        result[name] = value
    return result
