"""What can go wrong with a market, each with a stable code.

CommonweightError
└── MarketError
    ├── BadPrice             a price that is no number, negative, absurd, or of another currency
    ├── BadQuery             a query that no offer can answer: an unknown GPU or region
    ├── KeyMissing           no key of this provider is on this machine
    ├── NoOfferFits
    ├── BudgetSpent          a launch would cost more than what is left
    ├── UnknownRental        no rental of this name in the journal
    └── ProviderError        what a provider did; `sent` says whether a request may have had its effect
        ├── ProviderAway         no answer, a cut or unreadable one, or trouble of the provider's own
        ├── KeyRefused           the key is wrong, expired, or may not do this
        ├── RateLimited          asked too often; `retry_after` seconds where it says so
        ├── OutOfStock           the offer is gone
        ├── PriceRose            the offer costs more now than when it was chosen
        ├── CreditShort          the account lacks the money
        └── RequestRefused       any other refusal, with the provider's words
"""

from __future__ import annotations

from contracts.errors import CommonweightError


class MarketError(CommonweightError):
    """Root of the market's errors."""

    code = "market-error"


class BadPrice(MarketError):
    """A price that nobody could pay."""

    code = "bad-price"


class BadQuery(MarketError):
    """A query that no offer can answer."""

    code = "bad-query"


class KeyMissing(MarketError):
    """This machine has no key of the provider's."""

    code = "provider-key-missing"


class NoOfferFits(MarketError):
    """Nothing on offer is what was asked for."""

    code = "no-offer-fits"


class BudgetSpent(MarketError):
    """The budget does not cover it."""

    code = "budget-spent"


class UnknownRental(MarketError):
    """The journal has no rental of this name."""

    code = "unknown-rental"


class ProviderError(MarketError):
    """What a provider did. `sent` says whether the request may have had its effect all the same."""

    code = "provider-error"

    def __init__(self, detail: str, sent: bool = False) -> None:
        super().__init__(detail)
        self.sent = sent


class ProviderAway(ProviderError):
    """No answer, half an answer, or trouble of the provider's own."""

    code = "provider-away"


class KeyRefused(ProviderError):
    """The key is wrong or expired, or may not do this."""

    code = "provider-key-refused"


class RateLimited(ProviderError):
    """Asked too often."""

    code = "provider-rate-limited"

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class OutOfStock(ProviderError):
    """The offer is gone."""

    code = "out-of-stock"


class PriceRose(ProviderError):
    """The offer costs more than when it was chosen."""

    code = "price-rose"


class CreditShort(ProviderError):
    """The account lacks the money."""

    code = "credit-short"


class RequestRefused(ProviderError):
    """The provider refuses, in its own words."""

    code = "provider-refused"
