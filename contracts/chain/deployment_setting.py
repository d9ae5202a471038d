"""A deployment as a setting: the file of that name, read and checked when the process starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, InstanceOf
from pydantic_settings import NoDecode

from contracts.chain.deployment import Deployment


def _read(value: object) -> object:
    """Raises InvalidDeployment, and ValueError for a file that cannot be read."""
    if not isinstance(value, str | Path):
        return value
    try:
        return Deployment.of_file(Path(value))
    except OSError as error:
        raise ValueError(f"it cannot be read: {error}") from error


DeploymentSetting = Annotated[InstanceOf[Deployment], NoDecode, BeforeValidator(_read)]
"""A Deployment, or the path of its file."""
