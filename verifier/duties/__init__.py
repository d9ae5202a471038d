"""What the machine awaits of a verifier, one module each. All may be called again at any time.

Each reads the machine's state while nobody changes it, and signs or waits outside of that.
"""
