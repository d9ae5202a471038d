"""The main job on one machine: every actor its own process."""
