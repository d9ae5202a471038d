"""Inner steps, the trajectory that they make, the outer step, and the numerics that they are computed in."""
