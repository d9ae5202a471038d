"""A verifier's duties, as the machine awaits them, one module each. All may be called again at any time.

Each reads the machine's state under its lock, and signs or waits outside of the lock.
"""
