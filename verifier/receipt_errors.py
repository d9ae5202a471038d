"""What can be wrong with a receipt, a code for each. All derive from ReceiptRefused."""

from __future__ import annotations

from contracts.errors import CommonweightError


class ReceiptRefused(CommonweightError):
    """Root of what is said against a receipt."""

    code = "receipt-refused"


class ReceiptForeign(ReceiptRefused):
    """It speaks of other contracts, or another operator's log, than those one trusts."""

    code = "receipt-foreign"


class HeadUnsigned(ReceiptRefused):
    """The tree head has no good signature."""

    code = "receipt-head-unsigned"


class HistoryBroken(ReceiptRefused):
    """The log of the epoch is no prefix of the signed head: history was rewritten, or the path is."""

    code = "receipt-history-broken"


class EntryUnproven(ReceiptRefused):
    """An entry is not in the log of the epoch at its index."""

    code = "receipt-entry-unproven"


class ClosingDiffers(ReceiptRefused):
    """The entry that closes the epoch says something else than the root that verifiers sign."""

    code = "receipt-closing-differs"


class WorkDiffers(ReceiptRefused):
    """An entry about a proof does not follow from the node's signed StepProof, or is about somebody else's pay."""

    code = "receipt-work-differs"


class PayoutUnproven(ReceiptRefused):
    """A line is not under the epoch's root, or comes twice."""

    code = "receipt-payout-unproven"


class CosignatureBroken(ReceiptRefused):
    """A verifier's signature under the epoch's root is not that verifier's."""

    code = "receipt-cosignature-broken"


class ChainDiffers(ReceiptRefused):
    """The chain has another root, or another log, for the epoch."""

    code = "receipt-chain-differs"
