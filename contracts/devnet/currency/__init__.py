"""An ERC-20 for trials of funding rounds and revenue on the embedded chain. No model contains it."""
