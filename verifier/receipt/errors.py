"""Errors in a receipt, a code for each, and the reason why a receipt cannot be saved."""

from __future__ import annotations

from contracts.errors import CommonweightError


class HeadsApart(CommonweightError):
    """No head was seen under the signatures of k verifiers in time: their mirrors do not answer, or are not level."""

    code = "heads-apart"


class ReceiptRefused(CommonweightError):
    """Root of the errors in a receipt."""

    code = "receipt-refused"


class ReceiptForeign(ReceiptRefused):
    """The receipt names other contracts, or another operator's log, than the trusted ones."""

    code = "receipt-foreign"


class HeadUnsigned(ReceiptRefused):
    """The head over an entry is not signed as the policy asks for."""

    code = "receipt-head-unsigned"


class HistoryBroken(ReceiptRefused):
    """The log of the epoch is no prefix of the signed head: history was rewritten, or the path is."""

    code = "receipt-history-broken"


class EntryUnproven(ReceiptRefused):
    """An entry is not in the log at its index."""

    code = "receipt-entry-unproven"


class ClosingDiffers(ReceiptRefused):
    """The entry that closes the epoch says something else than the root that verifiers sign."""

    code = "receipt-closing-differs"


class WorkDiffers(ReceiptRefused):
    """An entry about a proof does not follow from its node's commitment, or is about another account's pay."""

    code = "receipt-work-differs"


class PayoutUnproven(ReceiptRefused):
    """A line is not under the epoch's root, comes twice, or is missing."""

    code = "receipt-payout-unproven"


class CosignatureBroken(ReceiptRefused):
    """A verifier's signature under the epoch's root is not that verifier's."""

    code = "receipt-cosignature-broken"


class AnchorBroken(ReceiptRefused):
    """A verifier of the receipt's policy did not bind the key that stands there to itself."""

    code = "receipt-anchor-broken"


class ChainDiffers(ReceiptRefused):
    """The chain has another root, another log or other verifiers for the epoch."""

    code = "receipt-chain-differs"
