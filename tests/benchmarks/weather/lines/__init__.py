"""Tests of the lines between parties."""
