"""Offers of all providers in one view."""
