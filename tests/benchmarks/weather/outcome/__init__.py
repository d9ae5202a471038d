"""Tests of what came of it."""
