"""The weights that a run begins with: drawn from its seed, or a file that its creator made of another model.

Such a file is named by the BLAKE3 of its bytes in the configuration, and lies where the configuration or this process'
user says. It is hashed before it is read.
"""

from __future__ import annotations

from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.protocol.run_config import NO_BLOB, RunConfig
from contracts.tensors.tensorfile import Layout, packed_size, unpack
from trainer.data.cache import files_at
from trainer.data.corpus import CorpusUnreachable, WrongCorpus
from trainer.data.index import MOST_FILE, IndexedFile
from trainer.data.origins import HttpOrigin, Origin, origin_of
from trainer.data.place import DEFAULT_LIMIT
from trainer.genesis.place import WeightsPlace
from trainer.model.layout import theta_layout
from trainer.model.state import Tensors, initial_theta


class WeightsUnreachable(CommonweightError):
    """The file of a run's first weights cannot be fetched now."""

    code = "weights-unreachable"


class WrongWeights(CommonweightError):
    """A file has not the run's first weights."""

    code = "wrong-weights"


_chosen = WeightsPlace()


def choose_weights(place: WeightsPlace) -> None:
    """Where this process finds the first weights of its run, from now on."""
    global _chosen
    _chosen = place


def first_theta(config: RunConfig) -> Tensors:
    """The global weights of round 0, `theta.*`. Raises WeightsUnreachable, WrongWeights and DiskFull."""
    if config.weights_blob == NO_BLOB:
        return initial_theta(config)
    layout = theta_layout(config)
    try:
        files = files_at(_origin(config), _chosen.cache, DEFAULT_LIMIT)
        path = files.path(IndexedFile(blob=config.weights_blob, size=_size(layout)))
        return unpack(path.read_bytes(), layout)
    except CorpusUnreachable as error:
        raise WeightsUnreachable(error.detail) from error
    except (WrongCorpus, InvalidTensorFile) as error:
        raise WrongWeights(f"the file {config.weights_blob} is not the run's first weights: {error.detail}") from error


def _size(layout: Layout) -> int:
    """Raises WrongWeights."""
    if (size := packed_size(layout)) > MOST_FILE:
        raise WrongWeights(f"the run's weights have {size:,} bytes, and a file has at most {MOST_FILE:,}")
    return size


def _origin(config: RunConfig) -> Origin:
    if _chosen.address:
        return origin_of(_chosen.address)
    if config.weights_url:
        return HttpOrigin(config.weights_url, False, _chosen.loopback)
    raise WeightsUnreachable(
        "the run does not say where its first weights lie: name their folder or address (--weights)"
    )
