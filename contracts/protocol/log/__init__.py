"""Leaves of the transparency log: what the machine's facts and derived entries look like as bytes."""
