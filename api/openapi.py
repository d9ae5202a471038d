"""`/openapi.json` of any server of this version, without a server: `python -m api.openapi > openapi.json`."""

from __future__ import annotations

import json
import sys

from api.app import bare_app


def main() -> None:
    """Write the document to stdout. It depends on no setting and on no file."""
    json.dump(bare_app().openapi(), sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
