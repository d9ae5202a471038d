"""Jobs as rows, and the worker processes that take them."""
