"""The log as anybody reads it: heads, tiles, mirrors, and a lost end restored."""
