"""One module for each Solidity contract."""
