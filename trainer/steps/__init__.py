"""Inner steps, trajectories, the outer step, and the numerics profile of a machine."""
