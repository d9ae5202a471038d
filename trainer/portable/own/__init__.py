"""The portable step of a model of one's own, which is made of trainer/portable/operations.py."""
