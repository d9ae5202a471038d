"""The demo: the main job on one machine, each actor in its own process."""
