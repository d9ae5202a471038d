"""Hosts of this model's own suppliers as a provider of the market: the board's claims, checked by the renter."""
