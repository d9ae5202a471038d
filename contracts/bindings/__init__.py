"""Python wrappers of the Solidity contracts, one module a contract."""
