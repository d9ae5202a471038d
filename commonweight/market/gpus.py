"""GPUs by one name each, whatever a provider calls them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from commonweight.market.errors import BadQuery


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU by its usual name; `memory_gb` are the sizes in which it is sold, the usual one first."""

    name: str
    memory_gb: tuple[int, ...]


CPU = "CPU"
"""The kind of a machine without a GPU: taken only by who asks for it."""


def _table(*rows: tuple[str, tuple[int, ...]]) -> dict[str, Gpu]:
    return {name: Gpu(name, sizes) for name, sizes in rows}


GPUS = _table(
    ("B300", (288,)),
    ("B200", (180, 192)),
    ("GB200", (186,)),
    ("GH200", (96, 144)),
    ("H200", (141,)),
    ("H100", (80, 94)),
    ("A100", (80, 40)),
    ("L40S", (48,)),
    ("L40", (48,)),
    ("L4", (24,)),
    ("A40", (48,)),
    ("A30", (24,)),
    ("A10", (24,)),
    ("V100", (16, 32)),
    ("P100", (16,)),
    ("T4", (16,)),
    ("RTXPRO6000", (96,)),
    ("RTX6000ADA", (48,)),
    ("RTX5000ADA", (32,)),
    ("RTX4000ADA", (20,)),
    ("RTX2000ADA", (16,)),
    ("A6000", (48,)),
    ("A5000", (24,)),
    ("A4500", (20,)),
    ("A4000", (16,)),
    ("A2000", (6, 12)),
    ("RTX8000", (48,)),
    ("RTX6000", (24,)),
    ("5090", (32,)),
    ("5080", (16,)),
    ("5070TI", (16,)),
    ("5070", (12,)),
    ("5060TI", (16, 8)),
    ("5060", (8,)),
    ("4090", (24,)),
    ("4080S", (16,)),
    ("4080", (16,)),
    ("4070TIS", (16,)),
    ("4070TI", (12,)),
    ("4070S", (12,)),
    ("4070", (12,)),
    ("4060TI", (8, 16)),
    ("4060", (8,)),
    ("3090TI", (24,)),
    ("3090", (24,)),
    ("3080TI", (12,)),
    ("3080", (10, 12)),
    ("3070TI", (8,)),
    ("3070", (8,)),
    ("3060TI", (8,)),
    ("3060", (12, 8)),
    ("2080TI", (11,)),
    ("TITANRTX", (24,)),
    ("MI300X", (192,)),
    ("MI250", (128,)),
    (CPU, (0,)),
)
"""From H100 down to RTX 3000, and more; a name that is missing here is shown as its provider has it."""
_NOISE = re.compile(r"NVIDIA|AMD|GEFORCE|QUADRO|TESLA|INSTINCT|GENERATION|SXM\d*|PCIE|NVL|HGX|DGX|\d+GB|[^A-Z0-9]")


def known(text: str) -> Gpu | None:
    """The GPU that a provider's or a person's words name: `RTX 4090`, `gpu_1x_a6000`, `NVIDIA H100 80GB SXM5`."""
    words = re.sub(r"^GPU_\d+X_", "", text.strip().upper().replace("-", "_"))
    name = _NOISE.sub("", words.replace("SUPER", "S"))
    bare = name.removeprefix("Q").removeprefix("RTX").removeprefix("GTX")
    for tried in (name, bare, f"RTX{bare}", f"RTX{bare}ADA", bare.replace("STI", "TIS"), name.removesuffix("S")):
        if tried in GPUS:
            return GPUS[tried]
    return None


def gpu_name(text: str) -> str:
    """The usual name; a kind that the table lacks keeps the provider's letters and digits."""
    found = known(text)
    return found.name if found is not None else re.sub(r"[^A-Za-z0-9]", "", text)[:40].upper()


def require_gpu(text: str) -> Gpu:
    """A GPU that somebody asks for. Raises BadQuery with the nearest known name."""
    found = known(text)
    if found is not None:
        return found
    near = difflib.get_close_matches(re.sub(r"[^A-Z0-9]", "", text.upper()), GPUS, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; known are " + ", ".join(GPUS)
    raise BadQuery(f"{text!r} is no GPU that is known here{hint}")
