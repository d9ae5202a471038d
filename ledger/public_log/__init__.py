"""The log for the public: heads, tiles, mirrors, and the recovery of a lost end."""
