"""Model packages on this machine: the example's, copied to where a test may change it, and small odd ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from trainer.model.own import interface, loading
from trainer.steps.trials import own as own_trial

EXAMPLE = Path(__file__).parents[4] / "examples" / "own_model"
PLAIN = """
import torch
from torch.nn import functional as F

class Plain(torch.nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(vocab, vocab))
    def forward(self, tokens):
        return F.embedding(tokens, self.table)

def build(config):
    return Plain(config["vocab"])
"""

CACHES: tuple[Callable[..., object], ...] = (loading.package, interface._described, own_trial._digest)


def forgotten() -> None:
    """As in a process that has just started."""
    for cached in CACHES:
        cached.cache_clear()  # type: ignore[attr-defined]


def example(folder: Path) -> Path:
    """A copy of the example's package, in this folder."""
    shutil.copytree(EXAMPLE / "own_model", folder / "own_model", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "own_model"


def portable_example(folder: Path) -> Path:
    """A copy of the portable example's package."""
    source = EXAMPLE.with_name("portable_model") / "portable_model"
    shutil.copytree(source, folder / "portable_model", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "portable_model"


def written(folder: Path, text: str, name: str = "odd_model") -> None:
    """A package of one file."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "__init__.py").write_text(text)
