"""Any ERC-20 in which somebody pays. Amounts in its smallest units."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.exceptions import Web3Exception

from contracts.chain.connection import contract_at, rejections
from contracts.ids import Address

_PERMIT = [
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
]


class Currency:
    """The ERC-20 at `address`. Reads raise ContractRejected; writes return a call to send."""

    def __init__(self, w3: Web3, address: Address) -> None:
        self.w3, self.address = w3, to_checksum_address(address)
        self._call = contract_at(w3, "ModelToken", address).functions  # ERC-20 and permit are the same everywhere

    def symbol(self) -> str:
        """Name of its unit, as its maker chose; "" where it tells none."""
        return str(self._told("symbol", ""))

    def decimals(self) -> int:
        """Digits behind the point that its maker shows; 0 where it tells none. Nothing is computed with it."""
        return int(self._told("decimals", 0))

    def read_decimals(self) -> int:
        """The same, to compute with: a currency that tells none, or a read that fails, is no 0."""
        return int(self._call.decimals().call())

    def _told(self, name: str, default: str | int) -> str | int:
        """ERC-20 leaves both open, and some currencies answer otherwise."""
        try:
            answer: str | int = self._call[name]().call()
        except (Web3Exception, ValueError, OverflowError):
            return default
        return answer

    def balance_of(self, account: Address) -> int:
        """Units that `account` has."""
        return int(self._call.balanceOf(to_checksum_address(account)).call())

    def allowance(self, owner: str, spender: str) -> int:
        """Units that `spender` may take from `owner`."""
        return int(self._call.allowance(to_checksum_address(owner), to_checksum_address(spender)).call())

    def approve(self, spender: str, amount: int) -> ContractFunction:
        """Let `spender` take up to `amount` from the sender."""
        return self._call.approve(to_checksum_address(spender), amount)

    def transfer(self, to: str, amount: int) -> ContractFunction:
        """Pay from the sender."""
        return self._call.transfer(to_checksum_address(to), amount)

    def permit(
        self, owner: str, spender: str, amount: int, deadline: int, signature: tuple[int, bytes, bytes]
    ) -> ContractFunction:
        """Let `spender` take `amount` from `owner`, who signed it (EIP-2612)."""
        return self._call.permit(to_checksum_address(owner), to_checksum_address(spender), amount, deadline, *signature)

    def sign_permit(self, account: LocalAccount, spender: str, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
        """Signature (v, r, s) of a permit with the account's next nonce. Raises ContractRejected without EIP-2612."""
        with rejections():
            _, name, version, chain_id, contract, _, _ = self._call.eip712Domain().call()
            nonce = int(self._call.nonces(account.address).call())
        signed = account.sign_typed_data(
            {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract},
            {"Permit": [{"name": field, "type": kind} for field, kind in _PERMIT]},
            {
                "owner": account.address,
                "spender": to_checksum_address(spender),
                "value": amount,
                "nonce": nonce,
                "deadline": deadline,
            },
        )
        return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")
