"""A verifier's signatures. Memory and secrets are on the disk before anything is signed."""
