"""Rentals: journal, launches, reconciling, budgets, fleets."""
