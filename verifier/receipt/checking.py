"""A receipt checked by a reader that trusts only its own inputs: a deployment, a policy, on request the chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from eth_utils import to_checksum_address
from web3 import Web3

from contracts.amounts import TOKENS, amount
from contracts.bindings.distributor import EpochDistributor
from contracts.bindings.verifier_registry import EpochStatus, VerifierRegistry
from contracts.errors import BadField, CommonweightError, InvalidTree
from contracts.ids import ProofId, as_address, from_hex, to_hex
from contracts.merkle.payout_tree import Payout, PayoutTree, check_proof
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.messages.for_contracts import EpochRoot, from_json
from contracts.messages.signatures import Domain, require_signer
from contracts.protocol.judge.entries import EpochClosed
from contracts.protocol.log.leaf import Entry, read
from contracts.protocol.receipt import Contracts, MalformedReceipt, ProvenPayout, Receipt
from contracts.tlog.checkpoint import Checkpoint
from contracts.tlog.keys import parse_vkey
from contracts.tlog.policy import Policy, PolicyLog
from contracts.tlog.policy_text import parse_policy
from contracts.tlog.proof import parse_proof
from verifier.receipt import errors as wrong
from verifier.receipt.cosigned_log import anchored_keys
from verifier.receipt.work import ReceiptReader


@dataclass
class Findings:
    """Claims that hold, and claims that were not checked; `leaves` are the mint receipts of the payouts."""

    holds: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)


def check_receipt(
    receipt: Receipt, trusted: Contracts | None = None, policy: Policy | None = None, w3: Web3 | None = None
) -> Findings:
    """Check a receipt, without a network unless a chain is given.

    Raises MalformedReceipt and ReceiptRefused at the first thing that is wrong.

    1. contracts and log are those of `trusted`;
    2. the keys of the receipt's own policy are those that its verifiers bound to themselves;
    3. every entry stands in the log under a head that is signed as `policy` asks for, else as the receipt's own does;
    4. the log that the epoch is anchored to is a prefix of that head's;
    5. one entry closes the epoch with the root that verifiers sign, and with the lines that lead to it;
    6. every commitment is its node's and paid to the account, every end is of a commitment that is shown, every
       contribution is signed by enough of the maintainers that the run's configuration of then names;
    7. the account's lines are those of the closing entry, each under the root;
    8. every signature under the root is its verifier's;
    9. the chain has that root over that log, and those verifiers; whether it is final, and what is paid.
    """
    check = _Check(receipt, w3)
    try:
        check.contracts(trusted)  # 1.
        own = check.own_policy()  # 2.
        entries = check.entries(policy, own)  # 3.
        check.history()  # 4.
        closing = check.closing(entries)  # 5.
        with _refused_as(wrong.WorkDiffers):
            work = ReceiptReader(as_address(receipt.account), closing[1])
            check.found.holds += work.check(entries, closing[0])  # 6.
            check.found.unchecked += work.unchecked
        check.payouts(closing[1])  # 7.
        check.cosignatures()  # 8.
        check.chain(policy or own)  # 9.
    except (BadField, KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedReceipt(f"not what a receipt holds: {error!r}") from error
    check.found.unchecked.append(
        "that the amount is the account's share: it follows from the whole log (commonweight audit)"
    )
    return check.found


class _Check:
    """One receipt."""

    def __init__(self, receipt: Receipt, w3: Web3 | None) -> None:
        self.receipt, self.w3, self.found = receipt, w3, Findings()
        try:
            self.epoch = from_json(EpochRoot, receipt.epoch)
        except CommonweightError as error:
            raise MalformedReceipt(f"the epoch's root: {error.detail}") from error
        self.domain = Domain(receipt.contracts.chain_id, receipt.contracts.model_registry)
        self._head: Checkpoint | None = None

    def contracts(self, trusted: Contracts | None) -> None:
        receipt = self.receipt
        if to_hex(self.epoch.model) != receipt.contracts.model:
            raise wrong.ReceiptForeign("the epoch's root is of another model than the receipt")
        if trusted is None:
            self.found.unchecked.append("that contracts and log are the model's: --deployment, from elsewhere")
            return
        for name, value in trusted.model_dump().items():
            if str(getattr(receipt.contracts, name)) != str(value):
                raise wrong.ReceiptForeign(f"{name} is {getattr(receipt.contracts, name)}, not {value}")
        self.found.holds.append(f"contracts: those of your deployment, chain {trusted.chain_id}, model {trusted.model}")

    def own_policy(self) -> Policy:
        with _refused_as(wrong.AnchorBroken):
            own = parse_policy(self.receipt.policy.encode())
            keys = anchored_keys(self.receipt.anchors, self.domain)
        for witness in own.witnesses:
            if keys.get(witness.name) != witness.key.public or witness.key.name != witness.name:
                raise wrong.AnchorBroken(f"no anchor binds the key of {witness.name} in the receipt's policy to it")
        return own

    def entries(self, brought: Policy | None, own: Policy) -> dict[int, Entry]:
        """The entries by index; all of them stand under one head."""
        policy = _of_log(brought, own, self.receipt.contracts.log)
        heads: set[Checkpoint] = set()
        entries: dict[int, Entry] = {}
        signed: list[str] = []
        for entry in self.receipt.entries:
            index, head, signed = self._proven(entry.body, ProofId(entry.proof), policy)
            with _refused_as(wrong.WorkDiffers, f"entry {index}: "):
                entries[index] = read(entry.body, self.domain, as_address)
            heads.add(head)
        if len(heads) != 1:
            raise wrong.HeadUnsigned("the entries are proven under several heads")
        self._head = heads.pop()
        by = ", ".join(signed) or "nobody"
        self.found.holds.append(f"entries: {len(entries)} stand in a log of {self._head.size}, cosigned by {by}")
        if brought is None:
            self.found.unchecked.append(f"that k of the model's verifiers cosigned it ({by} did): --policy")
        return entries

    def _proven(self, body: str, proof: ProofId, policy: Policy) -> tuple[int, Checkpoint, list[str]]:
        try:
            parsed = parse_proof(proof.encode())
            accepted = parsed.check(body.encode(), policy)
        except InvalidTree as error:
            raise wrong.EntryUnproven(f"entry {parsed.index}: {error.detail}") from error
        except CommonweightError as error:
            raise wrong.HeadUnsigned(f"the head over an entry: {error.code}: {error.detail}") from error
        return parsed.index, accepted.checkpoint, sorted(accepted.cosigned)

    def history(self) -> None:
        assert self._head is not None, "the entries stand under it"
        path = [from_hex(node) for node in self.receipt.consistency]
        epoch = self.epoch
        with _refused_as(wrong.HistoryBroken):
            SHA256_TREE.check_consistency(epoch.logSize, self._head.size, epoch.logRoot, self._head.root, path)
        self.found.holds.append(f"history: the epoch's log of {epoch.logSize} entries is a prefix of it")

    def closing(self, entries: Mapping[int, Entry]) -> tuple[int, EpochClosed]:
        """The entry that closes the epoch, with its index."""
        epoch = self.epoch
        index = self.epoch.logSize - 1
        closed = entries.get(index)
        signed = (epoch.epoch, epoch.attempt, to_hex(epoch.root), epoch.total, epoch.count, epoch.deadline)
        if not isinstance(closed, EpochClosed):
            raise wrong.ClosingDiffers(f"entry {index} is not shown, or closes no epoch")
        logged = (closed.epoch, closed.attempt, closed.root, closed.total, len(closed.lines), closed.deadline)
        if logged != signed:
            raise wrong.ClosingDiffers(f"entry {index} does not close epoch {epoch.epoch} as signed")
        leaves = [leaf.leaf() for leaf in self._leaves(closed)]
        if leaves and PayoutTree.of(leaves).root != epoch.root:
            raise wrong.ClosingDiffers(f"the lines of entry {index} do not lead to the root of epoch {epoch.epoch}")
        self.found.holds.append(f"closing: entry {index} gives epoch {epoch.epoch} the root {closed.root}")
        return index, closed

    def payouts(self, closed: EpochClosed) -> None:
        receipt = self.receipt
        findings = self.found
        own = {leaf.index: leaf for leaf in self._leaves(closed) if leaf.account.lower() == receipt.account.lower()}
        for line in receipt.payouts:
            leaf = self._leaf(line)
            with _refused_as(wrong.PayoutUnproven, f"line {line.index}: "):
                check_proof(leaf, [from_hex(node) for node in line.proof], self.epoch.root)
            if leaf in findings.leaves:
                raise wrong.PayoutUnproven(f"line {line.index} comes twice")
            findings.leaves.append(leaf)
            findings.holds.append(f"payout: {amount(line.amount, TOKENS)} for {receipt.account} are under that root")
        missing = sorted(set(own) - {line.index for line in receipt.payouts})
        if missing:
            raise wrong.PayoutUnproven(f"line {missing[0]} of the account is not shown")
        if not receipt.payouts:
            findings.holds.append(f"payout: none for {receipt.account}")

    def _leaf(self, line: ProvenPayout) -> bytes:
        contracts = self.receipt.contracts
        account = self.receipt.account
        units = int(line.amount)
        payout = Payout(
            contracts.chain_id,
            contracts.distributor,
            self.epoch.epoch,
            line.index,
            as_address(account),
            line.kind,
            units,
        )
        return payout.leaf()

    def _leaves(self, closed: EpochClosed) -> list[Payout]:
        contracts = self.receipt.contracts
        own = (contracts.chain_id, contracts.distributor, closed.epoch)
        return [Payout(*own, index, line.account, line.kind, line.amount) for index, line in enumerate(closed.lines)]

    def cosignatures(self) -> None:
        domain = Domain(self.receipt.contracts.chain_id, self.receipt.contracts.verifier_registry)
        for signer, signature in self.receipt.signatures.items():
            with _refused_as(wrong.CosignatureBroken):
                require_signer(self.epoch, domain, from_hex(signature), as_address(signer))
        signers = {signer.lower() for signer in self.receipt.signatures}
        self.found.holds.append(f"signatures: {len(signers)} under the root of epoch {self.epoch.epoch}")

    def chain(self, policy: Policy) -> None:
        if self.w3 is None:
            detail = "that the signers are verifiers, and the chain has this root, final and paid: --rpc-url"
            self.found.unchecked.append(detail)
            return
        contracts = self.receipt.contracts
        epoch = self.epoch
        if self.w3.eth.chain_id != contracts.chain_id:
            raise wrong.ReceiptForeign(
                f"the node is of chain {self.w3.eth.chain_id}, the receipt of {contracts.chain_id}"
            )
        registry = VerifierRegistry(self.w3, as_address(contracts.verifier_registry))
        self._signers(registry, policy)
        state = registry.epoch_of(epoch.epoch)
        if state.status is EpochStatus.NONE:
            self.found.unchecked.append(f"the root of epoch {epoch.epoch}: the chain has none yet; ask again later")
            return
        on_chain = (state.root, state.total, state.count, state.log_size, state.log_root)
        if on_chain != (epoch.root, epoch.total, epoch.count, epoch.logSize, epoch.logRoot):
            detail = f"the chain has root {to_hex(state.root)} for epoch {epoch.epoch}, or another log"
            raise wrong.ChainDiffers(detail)
        status = state.status.name.lower()
        self.found.holds.append(f"chain: epoch {epoch.epoch} is {status} there, with this root and this log")
        self._paid(EpochDistributor(self.w3, as_address(contracts.distributor)), epoch.epoch)

    def _signers(self, registry: VerifierRegistry, policy: Policy) -> None:
        """Cosigners of heads, and signers of the root, may have left since: this is reported, and is no error."""
        admitted = set(registry.verifiers())
        k = registry.threshold()
        heads = {witness.key.name for witness in policy.witnesses}
        signers = {to_checksum_address(signer) for signer in self.receipt.signatures}
        threshold = {group.name: group.threshold for group in policy.groups}.get(policy.quorum, 0)
        now = f"{len(signers & admitted)} of {len(signers)} who signed the root are verifiers now"
        self.found.holds.append(f"chain: {now}, and {len(heads & admitted)} of {len(heads)} whose heads count")
        if threshold < k:
            self.found.unchecked.append(f"heads of k verifiers: the policy asks for {threshold}, the chain for {k} now")

    def _paid(self, distributor: EpochDistributor, epoch: int) -> None:
        for line, leaf in zip(self.receipt.payouts, self.found.leaves, strict=True):
            paid = "paid" if distributor.is_claimed(epoch, line.index) else "not claimed yet"
            detail = f"{amount(line.amount, TOKENS)} under mint receipt {to_hex(leaf)}"
            self.found.holds.append(f"chain: {detail} are {paid}")


def _of_log(brought: Policy | None, own: Policy, log: str) -> Policy:
    """The policy for the receipt's log alone. Raises ReceiptForeign for a log that the reader's policy lacks."""
    if brought is not None and log not in [policy_log.key.vkey() for policy_log in brought.logs]:
        raise wrong.ReceiptForeign("the receipt is of a log that your policy does not know")
    chosen = brought or own
    with _refused_as(wrong.HeadUnsigned):
        return Policy((PolicyLog(parse_vkey(log)),), chosen.witnesses, chosen.groups, chosen.quorum)


@contextmanager
def _refused_as(kind: type[wrong.ReceiptRefused], where: str = "") -> Iterator[None]:
    """Raise the errors of the checks inside under the receipt's own code."""
    try:
        yield
    except wrong.ReceiptRefused:
        raise
    except CommonweightError as error:
        raise kind(where + error.detail) from error
