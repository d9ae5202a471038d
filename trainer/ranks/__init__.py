"""A node of several processes: each computes its blocks of a batch, and owns some of the tensors of the state."""
