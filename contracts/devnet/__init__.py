"""The embedded chain: an EVM on one machine, for trials and tests."""
