"""Training report: a page for judging a trained model by its ratings and similarities."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from hakken.catalogue import mal_page
from hakken.data_time import in_words
from hakken.errors import StorageError
from hakken.files import written_whole
from hakken.model.arrays import Array, Arrays, Float64s, Int64s, gather, unpack
from hakken.model.manifest import FILE_NAME
from hakken.model.store import Artefact
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.training import chart_layout
from hakken.training.pipeline import Fitted
from hakken.training.stage_times import StageTimer
from hakken.training.tables import AnimeTable, RatingTable

REPORT_NAME = "index.html"
TEMPLATE = "report.html"
JUDGED, SHOWN = 20, 10
"""Best-known titles shown, and neighbours shown of each."""
SAMPLED = 200
"""Best-known titles whose similarities are drawn against their support."""
SIMILARITY_BINS, SUPPORT_BINS = 40, 30


@dataclass(frozen=True, eq=False)
class Run:
    """Input and output of a training run.

    Attributes:
        table: the ratings.
        titles: the anime table.
        fitted: the model.
        artefact: the model on disk.
        progress: cost of each stage.
    """

    table: RatingTable
    titles: AnimeTable
    fitted: Fitted
    artefact: Artefact
    progress: StageTimer

    @property
    def density(self) -> float:
        """Share of all pairs of a user and an anime that have a score."""
        sizes = self.artefact.manifest.sizes
        return sizes.scored / (sizes.users * sizes.items)


class Sample(NamedTuple):
    """Stored neighbours of some items, concatenated.

    Attributes:
        items: `(n_sampled,)` inner indices, the best-known first.
        indptr: `(n_sampled + 1,)`, where the neighbours of each begin.
        neighbours: `(n,)` inner index `j`.
        sims: `(n,)` float64, `sim_ij` as stored.
        support: `(n,)` n_ij.
    """

    items: Int64s
    indptr: Int64s
    neighbours: Array
    sims: Float64s
    support: Int64s


def write_report(run: Run, directory: Path) -> Path:
    """Write the page, completely or not at all.

    Args:
        run: the run; its progress receives the stage of the report.
        directory: directory of `index.html`; created if it does not exist.

    Returns:
        The page.

    Raises:
        StorageError: the page can't be written.
    """
    page = directory / REPORT_NAME
    with run.progress.stage("report"):
        text = render(run, sample_neighbours(run.fitted.arrays))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with written_whole(page) as file:
            file.write(text.encode())
    except OSError as error:
        raise StorageError(
            f"The model is in {run.artefact.directory}, but its report can't be written to {directory}: "
            f"{error.strerror or error}."
        ) from error
    return page


def sample_neighbours(arrays: Arrays) -> Sample:
    """Take the stored neighbours of the best-known items."""
    items = np.argsort(-arrays.raters.astype(np.int64), kind="stable")[:SAMPLED]
    indptr, positions = gather(arrays.sim_indptr, items)
    sims = np.repeat(arrays.sim_scale[items], np.diff(indptr)) * unpack(arrays.sim_values[positions])
    support = arrays.sim_support[positions].astype(np.int64)
    return Sample(items, indptr, arrays.sim_indices[positions], sims, support)


def render(run: Run, sample: Sample) -> str:
    """Render the page; it loads no resources and runs no scripts."""
    manifest = run.artefact.manifest
    scores = run.table.scores[run.table.scores > 0]
    points = range(MIN_SCORE, MAX_SCORE + 1)
    counts = np.bincount(scores, minlength=MAX_SCORE + 1)[MIN_SCORE:]
    sims = stored_similarities(run.fitted.arrays)
    edges = np.linspace(0.0, _upper(sims), SIMILARITY_BINS + 1)
    return _template().render(
        run=run,
        manifest=manifest,
        sizes=manifest.sizes,
        parameters=msgspec.structs.asdict(manifest.parameters),
        size=size_of(run.artefact),
        frame=chart_layout,
        ratings=chart_layout.bars([str(point) for point in points], counts, "score", "ratings"),
        top_share=float((scores == MAX_SCORE).mean()),
        per_user=_ranks(np.bincount(run.table.users[run.table.scores > 0]), "users, the most active first"),
        per_item=_ranks(run.fitted.arrays.raters, "anime, the best-known first"),
        similarities=chart_layout.histogram(sims, edges, "similarity", "stored pairs"),
        median_sim=float(np.median(sims)) if len(sims) else 0.0,
        support=_support_map(sample),
        sampled=len(sample.items),
        median_support=int(np.median(sample.support)) if len(sample.support) else 0,
        judged=list(_judged(run, sample)),
    )


@cache
def _template() -> Template:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["size"] = size_text
    templates.filters["in_words"] = in_words
    return templates.get_template(TEMPLATE)


def stored_similarities(arrays: Arrays) -> Float64s:
    """All stored similarities, row by row, float64."""
    scale = np.repeat(arrays.sim_scale.astype(np.float64), np.diff(arrays.sim_indptr))
    return np.multiply(scale, unpack(arrays.sim_values), out=scale)


def size_of(artefact: Artefact) -> int:
    """Bytes of an artefact's files, including its manifest."""
    files = sum(entry.bytes for entry in artefact.manifest.files.values())
    return files + (artefact.directory / FILE_NAME).stat().st_size


def size_text(size: int) -> str:
    """Format a number of bytes."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= factor:
            return f"{size / factor:.{0 if size >= 100 * factor else 1}f} {unit}"
    return f"{size} bytes"


def _ranks(counts: Array, x_name: str) -> dict[str, Any]:
    """A curve of counts by rank, with mean, median and maximum."""
    counts = counts[counts > 0]
    chart = chart_layout.ranked(counts, x_name, "scores")
    return {"chart": chart, "mean": float(counts.mean()), "median": int(np.median(counts)), "most": int(counts.max())}


def _support_map(sample: Sample) -> chart_layout.Chart:
    edges = np.geomspace(1, max(int(sample.support.max(initial=1)) + 1, 10), SUPPORT_BINS + 1)
    names = ("support: users who scored both", "similarity", "pairs")
    heights = np.linspace(0.0, _upper(sample.sims), SUPPORT_BINS + 1)
    return chart_layout.density_map(sample.support, sample.sims, edges, heights, names)


def _upper(sims: Float64s) -> float:
    """The highest similarity, rounded up to a multiple of 0.05."""
    return float(np.ceil(sims.max(initial=0.05) * 20 - 1e-9) / 20)


def _judged(run: Run, sample: Sample) -> Iterator[dict[str, Any]]:
    """The best-known titles, each with its strongest neighbours."""
    arrays, titles = run.fitted.arrays, run.titles.catalogue
    ids = arrays.anime_ids.tolist()

    def named(i: int) -> dict[str, Any]:
        return {"title": titles.title(ids[i]), "url": mal_page(ids[i])}

    for n, i in enumerate(sample.items[:JUDGED].tolist()):
        first, last = sample.indptr[n], sample.indptr[n + 1]
        strongest = slice(first, min(last, first + SHOWN))
        rows = zip(sample.neighbours[strongest], sample.sims[strongest], sample.support[strongest], strict=True)
        neighbours = [{**named(j), "sim": float(sim), "support": int(support)} for j, sim, support in rows]
        adult = ids[i] in titles.adult_ids
        yield {**named(i), "raters": int(arrays.raters[i]), "adult": adult, "neighbours": neighbours}
