"""python -m hakken recommend | predict: many lists, one JSON object per line, answers in the order of the input.

in    {"user": "7", "ratings": [{"anime_id": 1, "score": 8, "status": "completed"}], "candidates": [5, 6]}
out   {"user": "7", "recommendations": [{"anime_id": 5, "title": "…", "predicted_rating": 8.31, "match": 0.42, …}]}
      {"user": "7", "predictions": {"5": 8.31, "6": 7.9}, "unknown": [6]}

"notes" is present if there are any. A line that cannot be read ends the command, and the output file does not change.
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import msgspec

from hakken import recommend as recommending
from hakken.bundle import ModelBundle
from hakken.cli.options import names_option, preference_options, preferences_of, together
from hakken.cli.plain_errors import plain_errors
from hakken.errors import TableError
from hakken.files import written_whole
from hakken.list_entries import Entry, read_list
from hakken.model import fold_in, store
from hakken.model import predict as predict_rows
from hakken.ratings import AnimeId, TitleNames

L = TypeVar("L", bound="Line")
OPTIONAL = ("continue", "notes", "unknown")
"""Left out of an answer where there are none."""


class Line(msgspec.Struct):
    """One line of input for `recommend`."""

    user: str | int
    ratings: list[dict[str, Any]]

    def __post_init__(self) -> None:
        """Raise ValueError, which the decoder turns into its own error, if an entry has no id that can be read."""
        for position, entry in enumerate(self.entries()):
            if entry.anime_id is None:
                raise ValueError(f"entry {position} of `ratings` has no anime id")

    def entries(self) -> Iterator[Entry]:
        """The entries as they were written."""
        return map(Entry.of, self.ratings)


class PairsLine(Line):
    """One line of input for `predict`."""

    candidates: list[AnimeId]


_readable = click.Path(exists=True, dir_okay=False, allow_dash=True)
_writable = click.Path(dir_okay=False, allow_dash=True)
_batch_options = together(
    click.option("--model", required=True, help="Directory of the model, or the word `embedded`."),
    click.option("--input", "source", type=_readable, required=True, help="JSON Lines to read, or -."),
    click.option("--output", type=_writable, required=True, help="JSON Lines to write, or -."),
)


@click.command()
@_batch_options
@preference_options
@names_option
def recommend(model: str, source: str, output: str, names: str, **chosen: Any) -> None:  # noqa: ANN401  # one for each option
    """Recommend to many users."""
    today = datetime.now(UTC).date()

    def answer(line: Line, bundle: ModelBundle) -> dict[str, Any]:
        bundle = bundle.named(TitleNames(names))
        result = recommending.recommend(read_list(line.entries()), bundle, preferences_of(chosen), today)
        return {"recommendations": result.recommendations, "continue": result.continues, "notes": result.notes}

    _answer_all(Line, model, source, output, answer)


@click.command()
@_batch_options
def predict(model: str, source: str, output: str) -> None:
    """Predict the ratings of each user's candidates, not clipped to 1-10."""

    def answer(line: PairsLine, bundle: ModelBundle) -> dict[str, Any]:
        user_list = read_list(line.entries())
        visitor = fold_in(bundle.model, user_list)
        candidates = list(dict.fromkeys(line.candidates))
        rows, known = bundle.model.rows_of(candidates)
        known &= bundle.model.arrays.raters[rows] > 0  # a title that nobody scored counts as unknown
        r_hat = predict_rows(bundle.model, visitor, rows)
        r_hat[~known] = bundle.model.mu + visitor.b_u
        unknown = [anime_id for anime_id, is_known in zip(candidates, known, strict=True) if not is_known]
        predictions = dict(zip(map(str, candidates), r_hat.tolist(), strict=True))
        return {"predictions": predictions, "unknown": unknown, "notes": recommending.list_notes(user_list)}

    _answer_all(PairsLine, model, source, output, answer)


def _answer_all(
    line_type: type[L], model: str, source: str, output: str, answer: Callable[[L, ModelBundle], dict[str, Any]]
) -> None:
    with plain_errors():
        bundle = ModelBundle.read(store.open_artefact(model))
        with click.open_file(source, "rb") as lines, _writing(output) as answers:
            for line in _read_lines(lines, line_type):
                found = {name: value for name, value in answer(line, bundle).items() if value or name not in OPTIONAL}
                answers.write(msgspec.json.encode({"user": line.user} | found) + b"\n")


@contextmanager
def _writing(path: str) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` if the block succeeds, and is removed if it fails.

    Standard output, a pipe or a device cannot be replaced; it is written line by line.
    """
    target = Path(path).resolve()  # replaces the target of a link, not the link
    if path == "-" or (target.exists() and not target.is_file()):
        with click.open_file(path, "wb") as stream:
            yield stream
        return
    try:
        with written_whole(target) as file:
            yield file
    except OSError as error:
        raise TableError(f"{path} can't be written: {error.strerror}.") from error


def _read_lines(lines: IO[bytes], line_type: type[L]) -> Iterator[L]:
    decoder = msgspec.json.Decoder(line_type, strict=False)  # 9.0 is 9
    for number, text in enumerate(lines, start=1):
        line = text.removeprefix(BOM_UTF8) if number == 1 else text
        if line.isspace():
            continue
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TableError(f"Line {number} of {lines.name} can't be read: {error}.") from error
