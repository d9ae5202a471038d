"""The machine's functions as the protocol has them: draws by keccak256, seals, configurations, payout roots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from eth_utils import to_checksum_address

from contracts.errors import CommonweightError
from contracts.ids import ZERO_DIGEST, Address, ProofId, as_address, from_hex, to_hex
from contracts.keccak import keccak256
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol import draw
from contracts.protocol.audit_rate import is_audited
from contracts.protocol.contribution import check_quorum
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.judge.entries import Line
from contracts.protocol.judge.errors import NotBound, NotSeated, Refused
from contracts.protocol.judge.facts import Anchored, RunCreated
from contracts.protocol.judge.functions import CapitalTerms
from contracts.protocol.log_audit import PayoutKind, epoch_payouts, kind_weights
from contracts.protocol.pledge import Pledge
from contracts.protocol.run_config import InvalidRunConfig, RunConfig

_WITNESS = b"commonweight witness"
_SECRET = b"commonweight secret"


@dataclass(frozen=True)
class Protocol:
    """Functions of one deployment: its chain, its distributor's address, its model (32 bytes), the model's creator."""

    chain_id: int
    distributor: Address
    model: bytes
    creator: Address

    def data_seed(self, created: RunCreated, round_number: int, theta: str) -> str:
        """ADR 2."""
        origin = draw.run_origin(self.model, created.creator, created.nonce, _octets(created.theta))
        return to_hex(draw.data_seed(origin, round_number, _octets(theta)))

    def is_audited(self, beacon: str, proof: ProofId, rate: int) -> bool:
        """ADR 14."""
        return is_audited(_octets(beacon), _octets(proof), rate)

    def panel_order(self, beacon: str, proof: ProofId, verifiers: Sequence[Address]) -> tuple[Address, ...]:
        """ADR 19."""
        return draw.panel_order(_octets(beacon), _octets(proof), verifiers)

    def common_segment(self, beacon: str, proof: ProofId, segments: int) -> int:
        """The segment that all seats read."""
        return draw.common_segment(_octets(beacon), _octets(proof), segments)

    def draw(self, beacon: str, secret: str, proof: ProofId, segments: int, samples: int) -> tuple[int, ...]:
        """A seat's segments."""
        return draw.draw_segments(_octets(beacon), _octets(secret), _octets(proof), segments, samples)

    def check_creator(self, creator: Address) -> None:
        """Raises NotSeated."""
        if creator != self.creator:
            raise NotSeated(f"{creator} is not the model's creator")

    def check_secret(self, anchored: Anchored, index: int, secret: str, path: Sequence[str]) -> None:
        """The secret is a leaf of the anchor's tree. Raises NotBound."""
        leaf = secret_leaf(_octets(anchored.run), anchored.verifier, index, _octets(secret))
        nodes = [_octets(node) for node in path]
        try:
            KECCAK_TREE.check_inclusion(leaf, index, anchored.length, nodes, _octets(anchored.anchor))
        except CommonweightError as error:
            raise NotBound(f"the secret is not the anchored one of its round: {error.detail}") from error

    def check_opening(self, root: str, boundaries: int, boundary: int, state: str, path: Sequence[str]) -> None:
        """The opened entry is the committed one, at its place. Raises NotBound."""
        try:
            nodes = [_octets(node) for node in path]
            KECCAK_TREE.check_inclusion(_octets(state), boundary, boundaries, nodes, _octets(root))
        except CommonweightError as error:
            raise NotBound(f"boundary {boundary} is not the committed one: {error.detail}") from error

    def seal_pledge(self, node: Address, salt: str, fake: int | None) -> str:
        """contracts/protocol/pledge.py. Raises NotBound."""
        try:
            return to_hex(Pledge(_octets(salt), NO_SEGMENT if fake is None else fake).seal(node))
        except CommonweightError as error:
            raise NotBound(error.detail) from error

    def seal_trace(self, verifier: Address, trace: str) -> str:
        """A trace under its author's address, so that nobody can copy it unread."""
        return to_hex(keccak256(_WITNESS + _octets(verifier) + _octets(trace)))

    def digest(self, config: str) -> str:
        """SHA-256 of the canonical text."""
        return to_hex(_config(config).digest())

    def rounds(self, config: str) -> int:
        """Rounds of the run."""
        return _config(config).rounds

    def segments(self, config: str) -> int:
        """Segments of a round."""
        return _config(config).segments

    def tokens(self, config: str) -> int:
        """Tokens of a node's round."""
        return _config(config).tokens_per_round

    def decide(self, config: str, key: str, value: str) -> str:
        """The configuration after a decision. Raises Refused."""
        try:
            return _config(config).with_decision(key, value).to_json()
        except InvalidRunConfig as error:
            raise Refused(error.detail) from error

    def check_quorum(self, config: str, signers: Sequence[Address]) -> None:
        """Enough distinct maintainers of the configuration. Raises NotBound."""
        try:
            check_quorum(_config(config), frozenset(to_checksum_address(signer) for signer in signers))
        except CommonweightError as error:
            raise NotBound(error.detail) from error

    def capital(self, config: str) -> CapitalTerms:
        """ADR 61."""
        terms = _config(config)
        return CapitalTerms(terms.capital_weight, terms.capital_cap, terms.token_price, terms.payback_budget)

    def lines(
        self, epoch: int, config: str, contributed: dict[int, dict[Address, int]], total: int
    ) -> tuple[Line, ...]:
        """Largest remainder within the weights of the kinds (contracts/protocol/log_audit.py); a kind without a share,
        or of which nothing was contributed, leaves its part to the others."""
        shares = kind_weights(_config(config))
        contributions = {
            PayoutKind(kind): _by_account(weights) for kind, weights in contributed.items() if any(weights.values())
        }
        shared = {kind: weights for kind, weights in contributions.items() if shares.get(kind, 0)}
        if not total or not shared:
            return ()
        payouts = epoch_payouts(shared, shares, total, self.chain_id, self.distributor, epoch)
        return tuple(Line(payout.account, payout.kind, payout.amount) for payout in payouts)

    def root(self, epoch: int, lines: Sequence[Line]) -> str:
        """Root of the payout tree; zero for an epoch that pays nobody."""
        if not lines:
            return ZERO_DIGEST
        leaves = [
            Payout(self.chain_id, self.distributor, epoch, index, line.account, line.kind, line.amount)
            for index, line in enumerate(lines)
        ]
        return to_hex(PayoutTree.of(leaf.leaf() for leaf in leaves).root)


def secret_leaf(run: bytes, verifier: Address, index: int, secret: bytes) -> bytes:
    """A leaf of an anchor's tree: the secret (32 bytes) of one run and verifier, so that nobody else can anchor it."""
    return keccak256(_SECRET + run + from_hex(verifier) + index.to_bytes(8) + secret)


def _by_account(weights: Mapping[Address, int]) -> dict[Address, int]:
    """One sum an account, however its address is spelled."""
    sums: dict[Address, int] = {}
    for account, weight in weights.items():
        name = as_address(account.lower())
        sums[name] = sums.get(name, 0) + weight
    return sums


@lru_cache(maxsize=64)
def _config(text: str) -> RunConfig:
    return RunConfig.from_json(text)


def _octets(text: str) -> bytes:
    """Bytes of 0x-hex. Raises NotBound."""
    try:
        return from_hex(text)
    except ValueError as error:
        raise NotBound(f"{text[:20]!r} is not hexadecimal") from error
