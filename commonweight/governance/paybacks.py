"""A proposal that pays renters back: for each invoice a decision under its own digest, and the payment.

`ModelRegistry.decide` takes an id once, and a proposal's calls pass or fail together. So no second proposal can pay an
invoice again, whoever makes it; that it was never capital is the machine's rule (ADR 61).
"""

from __future__ import annotations

from collections.abc import Sequence

from web3 import Web3

from commonweight.model.currency import CurrencyTerms
from contracts.bindings.currency import Currency
from contracts.bindings.governor import Action
from contracts.bindings.model_registry import ModelRegistry
from contracts.chain.deployment import Deployment
from contracts.errors import BadField, CommonweightError
from contracts.ids import Address, as_address, from_hex, to_hex
from verifier.log.settled_paybacks import Payback

KEY = "payback"
"""The decision that marks an invoice; no run can take it for a setting."""
MOST = 8
"""Invoices of one proposal, which has sixteen calls."""
MICRO = 6
"""Decimals of a micro-USD."""
_ID = slice(4 + 32, 4 + 64)
"""Where a decision's id stands in the call's bytes: behind the selector and the model."""


class PaybackRefused(CommonweightError):
    """An invoice that is not to be paid back, or not so."""

    code = "payback-refused"


class Paybacks:
    """What the holders of one model may pay back in one currency, a dollar of which is worth a dollar."""

    def __init__(self, w3: Web3, deployment: Deployment, currency: Address) -> None:
        self._models = ModelRegistry(w3, deployment.model_registry)
        self._model = from_hex(deployment.model)
        self._treasury = as_address(deployment.timelock)
        self._currency = Currency(w3, currency)

    @property
    def currency(self) -> str:
        """The ERC-20."""
        return self._currency.address

    def open(self, paybacks: Sequence[Payback]) -> list[Payback]:
        """Those that no executed proposal has paid, and that are worth a unit of the currency."""
        return [one for one in paybacks if not self.is_paid(one.invoice) and self.units(one)]

    def is_paid(self, invoice: str) -> bool:
        """Whether a proposal that was executed names the invoice."""
        return self._models.is_served(self._model, from_hex(invoice))

    def units(self, payback: Payback) -> int:
        """Smallest units of the currency, rounded down."""
        decimals = self._currency.read_decimals()
        return int(payback.amount * 10**decimals // 10**MICRO)

    def calls(self, paybacks: Sequence[Payback]) -> list[Action]:
        """Two calls for each invoice. Raises PaybackRefused where one was paid, or the treasury has less."""
        if not paybacks or len(paybacks) > MOST:
            raise PaybackRefused(f"a proposal pays between 1 and {MOST} invoices back; {len(paybacks)} are named")
        if len({one.invoice for one in paybacks}) != len(paybacks):
            raise PaybackRefused("an invoice is named twice")
        for one in paybacks:
            if self.is_paid(one.invoice):
                raise PaybackRefused(f"{one.invoice} was paid back")
        total = sum(self.units(one) for one in paybacks)
        held = self._currency.balance_of(self._treasury)
        if held < total:
            terms = CurrencyTerms.of(self._currency)
            raise PaybackRefused(f"the treasury has {terms.text(held)}, and {terms.text(total)} are to be paid")
        return [action for one in paybacks for action in self._pair(one)]

    def _pair(self, payback: Payback) -> tuple[Action, Action]:
        units = self.units(payback)
        said = f"{units} of {self._currency.address} to {payback.account}"
        mark = self._models.decide(self._model, from_hex(payback.invoice), KEY, said)
        return Action.of(mark), Action.of(self._currency.transfer(payback.account, units))


def check(paybacks: Paybacks, actions: Sequence[Action], settled: Sequence[Payback]) -> list[Payback]:
    """What a proposal pays back, if it is nothing else than what the log says of these invoices, in the currency that
    its reader names: the proposal's own word for a dollar may be a dearer token.

    Raises PaybackRefused, which names the first call that is another one.
    """
    if len(actions) < 2 or len(actions) % 2:
        raise PaybackRefused("the proposal is no list of decisions with a payment each")
    for action in actions[1::2]:
        if as_address(action.target).lower() != paybacks.currency.lower():
            raise PaybackRefused(f"it pays in {action.target}, and not in {paybacks.currency}")
    known = {one.invoice: one for one in settled}
    named = [to_hex(action.data[_ID]) for action in actions[::2]]
    for invoice in named:
        if invoice not in known:
            raise PaybackRefused(f"no final epoch's log has invoice {invoice} among those to be paid back")
    found = [known[invoice] for invoice in named]
    for number, (expected, action) in enumerate(zip(paybacks.calls(found), actions, strict=True), 1):
        if (expected.target.lower(), expected.data, expected.value) != (
            action.target.lower(),
            action.data,
            action.value,
        ):
            raise PaybackRefused(f"call {number} is another one than invoice {named[(number - 1) // 2]} asks for")
    return found


def chosen(paybacks: Sequence[Payback], invoices: Sequence[str]) -> list[Payback]:
    """Those of these ids, all without any. Raises BadField."""
    known = {one.invoice: one for one in paybacks}
    for invoice in invoices:
        if invoice.lower() not in known:
            raise BadField(f"invoice {invoice[:80]} is not to be paid back: unknown, not final yet, or paid")
    return [known[invoice.lower()] for invoice in invoices] if invoices else list(paybacks)
