"""Another model's weights as a file that a run can begin with, and the fields of a RunConfig that fit it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contracts.files.blob_files import BlobFiles
from contracts.files.whole_file import replace_file
from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from contracts.tensors.tensorfile import pack
from trainer.data.corpus import WrongCorpus
from trainer.data.origins import Origin, small_file
from trainer.genesis.first_weights import WrongWeights
from trainer.model.hugging_face import NotAModel, read_settings, read_weights

FIELDS = "weights.json"
"""The file that says what the weights are of."""
_LONGEST = 10_000
_OF_A_MODEL = {
    "architecture",
    "layers",
    "d_model",
    "heads",
    "kv_heads",
    "mlp_width",
    "rotary_base",
    "norm_eps",
    "tied",
    "vocab",
    "weights_blob",
}
"""What weights say of a run; everything else is its creator's word alone."""


def import_model(source: Path, folder: Path) -> dict[str, Any]:
    """Write the weights of a Hugging Face folder into `folder`, under the BLAKE3 of their file, and the fields beside.

    Raises NotAModel and DiskFull.
    """
    settings = read_settings(source)
    try:
        config = RunConfig(**settings)
    except InvalidRunConfig as error:
        raise NotAModel(f"{source}: {error.detail}") from error
    theta = read_weights(source, config)
    blobs = BlobFiles(folder)
    blobs.start()
    fields = settings | {"weights_blob": blobs.put(pack(theta))}
    replace_file(folder / FIELDS, (json.dumps(fields, indent=1, sort_keys=True) + "\n").encode())
    return fields


def weights_fields(origin: Origin) -> Mapping[str, Any]:
    """The fields beside the weights of an origin. Raises CorpusUnreachable and WrongWeights."""
    try:
        found = dict(json.loads(small_file(origin, FIELDS, _LONGEST)))
        if others := sorted(found.keys() - _OF_A_MODEL):
            raise WrongWeights(f"{origin}/{FIELDS} says {others[0][:40]!r}, which is no field of a model's weights")
        config = asdict(RunConfig(**found))
    except WrongCorpus as error:
        raise WrongWeights(error.detail) from error
    except (ValueError, TypeError, RecursionError, InvalidRunConfig) as error:
        raise WrongWeights(f"{origin}/{FIELDS} names no model: {error}") from error
    return {name: config[name] for name in found}
