"""Receipts: an account's work and pay in an epoch, saved once and checked anywhere."""
