"""What a corpus costs its maker in memory and time, and a machine that joins without the text in bytes.

    python -m benchmarks.corpus FOLDER... [--megabytes 100 1000]
    python -m benchmarks.corpus --worker OUT MEGABYTES FOLDER...

Each size is made by a process of its own, of the first files below the folders that have so many megabytes together. Of
the largest a node of eight then fetches the shards of its first round over HTTP on this machine.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.record import progress, write_result
from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import fields_of
from tests.between import listening
from trainer.data.corpora import Corpora
from trainer.data.draw import RoundDraw, Share
from trainer.data.index import read_index
from trainer.data.making.documents import input_files
from trainer.data.making.tokenizing import trained
from trainer.data.making.writing import SourceSpec, make_corpus, sample
from trainer.data.place import CorpusSettings

VOCAB = 8192
SAMPLE = 10_000_000
SHARD_TOKENS = 2**22
NODES = 8
SUFFIXES = (".py", ".txt", ".md", ".rst", ".html", ".h", ".c", ".rs", ".js", ".ts")


def chosen(folders: list[Path], megabytes: int) -> tuple[Path, ...]:
    """The first files that have so many megabytes together. Raises SystemExit where there are not as many."""
    found, size = [], 0
    for file in input_files(folders):
        if file.path.suffix in SUFFIXES:
            found.append(file.path)
            size += file.path.stat().st_size
        if size >= megabytes * 1_000_000:
            return tuple(found)
    raise SystemExit(f"{', '.join(map(str, folders))} have {size / 1e6:.0f} MB of text, and not {megabytes}")


def made(out: Path, megabytes: int, folders: list[Path]) -> dict[str, Any]:
    """Train a tokenizer, and make the corpus."""
    source = SourceSpec("text", chosen(folders, megabytes))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    tokenizer = trained(sample([source], SAMPLE), VOCAB)
    ready, after = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    index = make_corpus(out, [source], tokenizer, lambda *_: None, SHARD_TOKENS)
    seconds = time.monotonic() - ready
    (part,) = index.sources
    return {
        "megabytes": round(part.text_bytes / 1e6),
        "tokens": part.tokens,
        "shards": len(part.shards),
        "tokenizer seconds": round(ready - began, 1),
        "megabytes a second": round(part.text_bytes / 1e6 / seconds, 2),
        "memory before, MB": round(before / 1e3),
        "memory after the tokenizer, MB": round(after / 1e3),
        "memory at most, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


def joined(folder: Path) -> dict[str, Any]:
    """Bytes and seconds before the first step of one node of eight, of a run of the size 1M."""
    index = read_index((folder / "corpus.json").read_bytes(), str(folder))
    with serving(folder) as url, tempfile.TemporaryDirectory() as cache:
        config = RunConfig(**{**fields_of("1M"), "vocab": VOCAB, "corpus_digest": index.digest(), "corpus_url": url})
        began = time.monotonic()
        corpus = Corpora(CorpusSettings(cache=Path(cache), loopback=True)).of(config)
        for shard in RoundDraw(corpus, config, bytes(32), 1, Share(3, NODES)).shards():
            shard.read()
        seconds = time.monotonic() - began
        fetched = sum(path.stat().st_size for path in Path(cache).rglob("*") if path.is_file())
    whole = sum(shard.size for source in index.sources for shard in source.shards)
    return {"bytes fetched": fetched, "bytes of all shards": whole, "seconds": round(seconds, 2)}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The folder over HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    with listening(functools.partial(Quiet, directory=str(folder))) as url:
        yield url


def main() -> None:
    """All sizes, then the join."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--worker", action="store_true")
    asked = parser.parse_args()
    if asked.worker:
        out, megabytes, *folders = asked.folders
        print(json.dumps(made(Path(out), int(megabytes), list(map(Path, folders)))))
        return
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for megabytes in sorted(asked.megabytes):
            out = Path(scratch) / str(megabytes)
            command = [sys.executable, "-m", "benchmarks.corpus", "--worker", str(out), str(megabytes), *asked.folders]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result[f"{megabytes} MB"] = json.loads(done.stdout)
            progress(f"{megabytes} MB: {done.stdout.strip()}")
        result["a node of eight joins"] = joined(out)
    write_result("corpus", result)


if __name__ == "__main__":
    main()
