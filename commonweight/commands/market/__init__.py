"""Commands of the market: offers, machines, what they cost."""
