"""`commonweight`, and `python -m commonweight`."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point. Ctrl-C while the command is still being loaded ends it without a word, as a shell expects it."""
    try:
        from commonweight.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
