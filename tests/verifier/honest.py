"""A node's honest round of a tiny run, with real tensors: what is committed to, opened, and handed to mirrors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from blake3 import blake3

from contracts.ids import as_address, to_hex
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import theta_digest
from contracts.tensors.tensorfile import pack, state_digest
from trainer.data.batches import batch_source
from trainer.data.corpus import Corpus
from trainer.data.text import load_corpus
from trainer.model.state import Tensors, initial_theta, start_tensors
from trainer.steps.determinism import profile_of
from trainer.steps.outer import zero_momentum
from trainer.steps.settled import settle
from trainer.steps.trajectory import Trajectory, run_inner
from verifier.replay.combining import Basis
from verifier.replay.files import BytesMissing
from verifier.replay.holding import Held
from verifier.replay.replaying import Segment

NODE, SEED = as_address("0x" + "11" * 20), b"\7" * 32
TINY = RunConfig(rounds=1, steps=16, segment=4, batch=1, context=16, d_model=16, heads=2, layers=1)


@dataclass
class Shelf:
    """Bytes by their names; what is not here is missing."""

    held: dict[str, bytes] = field(default_factory=dict)

    def put(self, data: bytes) -> str:
        name = blake3(data).hexdigest()
        self.held[name] = data
        return name

    def read(self, name: str) -> bytes:
        if name not in self.held:
            raise BytesMissing([name])
        return self.held[name]


@dataclass
class Honest:
    """The work, and everything about it that a verifier is given."""

    config: RunConfig
    corpus: Corpus
    text: Path
    theta: Tensors
    done: Trajectory

    @classmethod
    def train(cls, folder: Path, config: RunConfig = TINY) -> Honest:
        text = folder / "text.txt"
        text.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
        corpus = load_corpus([text])
        config = replace(config, corpus_digest=corpus.digest)
        theta = initial_theta(config)
        batches = batch_source(corpus, config, SEED, 1)
        done = settle(theta, run_inner(config, start_tensors(theta, None), batches))
        return cls(config, corpus, text, theta, done)

    def state(self, boundary: int) -> Tensors:
        kept = self.done.kept[boundary]
        assert not isinstance(kept, Path), "small enough for memory"
        return kept

    def shelf(self) -> Shelf:
        """Every blob of the round."""
        shelf = Shelf()
        for boundary in range(self.config.segments + 1):
            shelf.put(pack(self.state(boundary)))
        shelf.put(pack(self.done.pseudo_gradient))
        return shelf

    def held(self, gradient: Tensors | None = None) -> Held:
        """For the check of the gradient, or of another one under the same commitment."""
        data = pack(self.done.pseudo_gradient if gradient is None else gradient)
        return Held(
            config=self.config.to_json(),
            theta=to_hex(state_digest(self.theta)),
            theta_blobs=(),
            gradient=to_hex(self.done.pseudo_gradient_digest),
            blob=blake3(data).hexdigest(),
            size=len(data),
            end=to_hex(theta_digest(self.done.end_state)),
        )

    def segment(self, number: int, common: bool = False) -> Segment:
        """For a replay."""
        entries = self.done.boundary_entries
        return Segment(
            config=self.config.to_json(),
            round=1,
            node=NODE,
            nodes=(NODE,),
            profile=to_hex(profile_of(self.config).digest()),
            data_seed=to_hex(SEED),
            segment=number,
            start=to_hex(entries[number]),
            start_blob=self.blob(number),
            end=to_hex(entries[number + 1]),
            end_blob=self.blob(number + 1),
            theta=to_hex(state_digest(self.theta)),
            theta_blobs=(),
            common=common,
        )

    def blob(self, boundary: int) -> str:
        return blake3(pack(self.state(boundary))).hexdigest()

    def basis(self) -> Basis:
        """For a merge of this one gradient."""
        data = pack(self.done.pseudo_gradient)
        return Basis(
            config=self.config.to_json(),
            theta=to_hex(state_digest(self.theta)),
            theta_blobs=(),
            momentum=to_hex(state_digest(zero_momentum(self.theta))),
            momentum_blobs=(),
            gradients=((to_hex(self.done.pseudo_gradient_digest), blake3(data).hexdigest()),),
        )


def changed(tensors: Tensors, change: Callable[[Tensors], None]) -> Tensors:
    """A copy with something else in it."""
    copied = {name: value.copy() for name, value in tensors.items()}
    change(copied)
    return copied
