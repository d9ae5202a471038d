"""`commonweight corpus`: tokenised corpora, made from text."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.options import named_values
from commonweight.terminal.progress import Progress

if TYPE_CHECKING:
    from trainer.data.index import CorpusIndex
    from trainer.data.making.tokenizing import CorpusTokenizer
    from trainer.data.making.writing import SourceSpec

app = typer.Typer(
    no_args_is_help=True, help="Make a tokenised corpus from text, show a corpus, compare text with a corpus."
)
Sources = Annotated[
    list[str],
    typer.Option(
        "--source", metavar="NAME=PATH", help="Name of a source, and a file or folder with its text; repeat for more."
    ),
]
Column = Annotated[str, typer.Option(help="Column with the text, in Parquet files and saved datasets.")]
Place = Annotated[str, typer.Argument(help="Folder or address (http, https, s3) of a corpus.")]


@app.command("make")
def make(
    out: Annotated[Path, typer.Argument(help="Folder for shards and index; a web server can serve it as it is.")],
    source: Sources,
    licence: Annotated[
        list[str] | None, typer.Option("--licence", metavar="NAME=TEXT", help="Licence of a source.")
    ] = None,
    column: Column = "text",
    vocab: Annotated[
        int, typer.Option(min=0, max=262_144, help="Vocabulary of a new tokenizer; 0: bytes, or --tokenizer.")
    ] = 0,
    sample_mb: Annotated[int, typer.Option(min=1, help="Megabytes of text on which the tokenizer is trained.")] = 10,
    tokenizer: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File tokenizer.json to use instead of a new tokenizer."),
    ] = None,
    document_end: Annotated[str, typer.Option(help="Token of --tokenizer that ends a document.")] = "",
    shard_tokens: Annotated[int, typer.Option(min=1024, max=2**28, help="Number of tokens in a shard.")] = 2**24,
    held_out_tokens: Annotated[int, typer.Option(min=1024, max=2**28, help="Highest number of held-out tokens.")] = 2
    ** 20,
) -> None:
    """Tokenise text once, and write shards, tokenizer and index to a folder. A run names the corpus by its digest.

    Sources are weighed by their tokens, or by the run's `mixture`. About one part in twenty is held out.
    """
    from trainer.data.making.writing import make_corpus

    specs = _specs(source, licence or [], column)
    progress = Progress("")

    def report(name: str, done: int, of: int) -> None:
        progress.what = f"tokenising {name}, bytes"
        progress(done, of)

    chosen = _tokenizer(specs, vocab, sample_mb, tokenizer, document_end)
    index = make_corpus(out, specs, chosen, report, shard_tokens, held_out_tokens)
    _show(index, str(out))


@app.command("show")
def show(place: Place) -> None:
    """Show a corpus: its sources, licences, documents, tokens, shards, tokenizer and digest."""
    from trainer.data.corpora import index_bytes
    from trainer.data.index import read_index
    from trainer.data.origins import origin_of

    _show(read_index(index_bytes(origin_of(place)), place), place)


@app.command("check")
def check(
    place: Place,
    source: Sources,
) -> None:
    """Compare local text with the text of a corpus, file by file. The first difference is named, with status 1."""
    from trainer.data.corpora import index_bytes
    from trainer.data.index import read_index
    from trainer.data.making.comparing import compare_source
    from trainer.data.origins import origin_of

    origin = origin_of(place)
    index = read_index(index_bytes(origin), place)
    with tempfile.TemporaryDirectory() as folder:
        for spec in _specs(source, [], "text"):
            count = compare_source(index, origin, Path(folder), spec)
            tell({"source": spec.name, "files": count}, [f"{spec.name}: all {count:,} files agree with the corpus"])


def _specs(sources: list[str], licences: list[str], column: str) -> list[SourceSpec]:
    from trainer.data.making.writing import SourceSpec

    paths = named_values(sources, "--source")
    notes = named_values(licences, "--licence")
    for name in notes.keys() - paths.keys():
        raise typer.BadParameter(f"{name} is not the name of a --source", param_hint="--licence")
    return [
        SourceSpec(name, tuple(map(Path, values)), notes.get(name, [""])[0], column) for name, values in paths.items()
    ]


def _tokenizer(
    specs: list[SourceSpec], vocab: int, sample_mb: int, file: Path | None, document_end: str
) -> CorpusTokenizer:
    from trainer.data.making.tokenizing import CorpusTokenizer, read_tokenizer, trained
    from trainer.data.making.writing import sample

    if file is not None and vocab:
        raise typer.BadParameter(
            "trains a tokenizer, and --tokenizer names one: give one of the two", param_hint="--vocab"
        )
    if file is not None:
        return read_tokenizer(file, document_end)
    return trained(sample(specs, sample_mb * 1_000_000), vocab) if vocab else CorpusTokenizer()


def _show(index: CorpusIndex, place: str) -> None:
    rows = [
        f"{source.name}: {source.tokens:,} tokens in {len(source.shards)} shards, of {source.documents:,} documents "
        f"with {source.text_bytes:,} bytes; licence: {source.licence or 'not given'}"
        for source in index.sources
    ]
    unit = f"{index.vocab:,} tokens" if index.tokenizer else "bytes"
    held_out = f"held out: {index.held_out.tokens:,} tokens, which no node trains on"
    document = {"digest": index.digest(), "vocab": index.vocab, "place": place, "index": index.model_dump(mode="json")}
    tell(document, [*rows, held_out, f"vocabulary: {unit}", f"digest: {index.digest()}"])
