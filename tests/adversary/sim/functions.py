"""Cheap functions for the machine: what a protocol hashes is here a mixed checksum."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from contracts.ids import Address, as_address
from contracts.protocol.judge.entries import Line
from contracts.protocol.judge.errors import NotBound
from contracts.protocol.judge.facts import Anchored, RunCreated
from contracts.protocol.judge.functions import CapitalTerms
from tests.adversary.sim.plan import mix

MILLION = 1_000_000
VOTABLE = {"rounds": (1, 5), "tokens": (1, 1_000), "weight": (0, 9)}
MAINTAINER = as_address("maintainer")


UNIT = 10**18
"""The price of a whole token, in micro-USD, by which one unit is worth one."""


def configuration(rounds: int, segments: int, tokens: int, weight: int, capital: Sequence[int] = ()) -> str:
    """The text of a configuration; `capital` are price, weight, cap and budget."""
    return " ".join(map(str, (rounds, segments, tokens, weight, *capital)))


@lru_cache(maxsize=1_000)
def _parsed(config: str) -> tuple[int, int, int, int]:
    rounds, segments, tokens, weight, *_ = config.split()
    return int(rounds), int(segments), int(tokens), int(weight)


@lru_cache(maxsize=1_000)
def _capital(config: str) -> tuple[int, ...]:
    return tuple(map(int, config.split()[4:]))


class Cheap:
    """`Functions` for the adversary."""

    def data_seed(self, created: RunCreated, round_number: int, theta: str) -> str:
        return f"seed-{created.run}-{round_number}-{theta}"

    def is_audited(self, beacon: str, proof: str, rate: int) -> bool:
        return mix(f"coin {beacon} {proof}") % MILLION < rate

    def panel_order(self, beacon: str, proof: str, verifiers: Sequence[Address]) -> tuple[Address, ...]:
        return tuple(sorted(verifiers, key=lambda name: mix(f"order {beacon} {proof} {name}")))

    def common_segment(self, beacon: str, proof: str, segments: int) -> int:
        return mix(f"common {beacon} {proof}") % segments

    def draw(self, beacon: str, secret: str, proof: str, segments: int, samples: int) -> tuple[int, ...]:
        common = self.common_segment(beacon, proof, segments)
        others = [number for number in range(segments) if number != common]
        others.sort(key=lambda number: mix(f"draw {beacon} {secret} {proof} {number}"))
        return tuple(sorted([common, *others[: samples - 1]]))

    def check_creator(self, creator: str) -> None:
        return None

    def check_secret(self, anchored: Anchored, place: int, secret: str, path: Sequence[str]) -> None:
        if not 0 <= place < anchored.length or secret != f"{anchored.anchor}#{place}":
            raise NotBound("the secret does not lie under the anchor")

    def check_opening(self, root: str, boundaries: int, boundary: int, state: str, path: Sequence[str]) -> None:
        return None

    def seal_pledge(self, node: str, salt: str, fake: int | None) -> str:
        return f"pledge {node} {salt} {fake}"

    def seal_trace(self, verifier: str, trace: str) -> str:
        return f"sealed {verifier} {trace}"

    def digest(self, config: str) -> str:
        return config

    def rounds(self, config: str) -> int:
        return _parsed(config)[0]

    def segments(self, config: str) -> int:
        return _parsed(config)[1]

    def tokens(self, config: str) -> int:
        return _parsed(config)[2]

    def decide(self, config: str, key: str, value: str) -> str:
        if key not in VOTABLE or not (value.isascii() and value.isdecimal() and len(value) < 6):
            raise NotBound(f"{key[:20]} cannot be {value[:20]}")
        least, most = VOTABLE[key]
        if not least <= int(value) <= most:
            raise NotBound(f"{key} must be between {least} and {most}")
        rounds, segments, tokens, weight = _parsed(config)
        named = {"rounds": rounds, "tokens": tokens, "weight": weight} | {key: int(value)}
        return configuration(named["rounds"], segments, named["tokens"], named["weight"], _capital(config))

    def check_quorum(self, config: str, signers: Sequence[str]) -> None:
        if MAINTAINER not in signers:
            raise NotBound("no maintainer vouches")

    def capital(self, config: str) -> CapitalTerms:
        if not (found := _capital(config)):
            return CapitalTerms()
        price, weight, cap, budget = found
        return CapitalTerms(weight, cap, price, budget)

    def lines(
        self, epoch: int, config: str, contributed: dict[int, dict[Address, int]], total: int
    ) -> tuple[Line, ...]:
        weights = [(kind, account, amount) for kind, by in contributed.items() for account, amount in by.items()]
        weights = sorted(entry for entry in weights if entry[2] > 0)
        whole = sum(amount for _, _, amount in weights)
        if not whole or not total:
            return ()
        parts = [total * amount // whole for _, _, amount in weights]
        left = total - sum(parts)
        shares = [part + (place < left) for place, part in enumerate(parts)]
        return tuple(Line(account, kind, share) for (kind, account, _), share in zip(weights, shares, strict=True))

    def root(self, epoch: int, lines: Sequence[Line]) -> str:
        return f"root-{epoch}-{mix(repr(lines)):08x}"


def anchor_text(run: str, verifier: str, generation: int = 0) -> str:
    """What a verifier anchors in a run."""
    return f"anchor-{run}-{verifier}-{generation}"


def outer_step(theta: str, momentum: str, gradients: Sequence[str]) -> tuple[str, str]:
    """Weights and momentum after a merge."""
    step = mix(f"{theta} {momentum} {tuple(gradients)}")
    return f"theta-{step:08x}", f"momentum-{step:08x}"
