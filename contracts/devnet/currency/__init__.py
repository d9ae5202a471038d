"""An ERC-20 for trying out funding rounds and revenue on the embedded chain; no model is made of it."""
