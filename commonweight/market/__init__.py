"""Compute for a run: offers of many providers in one view, and machines that are rented, watched and ended.

It runs with the renter, beside wallet and node: keys of providers and the journal of what is rented never leave this
machine (docs/adr/0058-the-market-runs-with-the-renter.md). No torch, no ledger.
"""
