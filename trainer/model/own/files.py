"""The weights of one's own model as a folder, under its own names: no other library would take it for its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from contracts.files.whole_file import replace_file
from contracts.protocol.own_model import parse_settings
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import Tensors

WEIGHTS, SETTINGS = "model.safetensors", "own_model.json"


def export_own(config: RunConfig, theta: Tensors, folder: Path) -> None:
    """Write the weights `theta.*` under the package's own names, and what `build` is told. Raises DiskFull."""
    weights = {name.removeprefix("theta."): np.asarray(value, order="C") for name, value in theta.items()}
    told = {
        "model_package": config.model_package,
        "model_digest": config.model_digest,
        "config": {**parse_settings(config.model_config), "vocab": config.vocab, "context": config.context},
    }
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / WEIGHTS, save(weights))
    replace_file(folder / SETTINGS, (json.dumps(told, indent=2) + "\n").encode())
