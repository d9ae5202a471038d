"""Receipts: what a contributor did and is paid in an epoch, saved once and checked anywhere."""
