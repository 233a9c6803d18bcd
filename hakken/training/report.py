"""Training report: a page for judging a trained model by its ratings and similarities."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from hakken.catalogue import mal_page
from hakken.data_time import in_words
from hakken.errors import StorageError
from hakken.files import written_whole
from hakken.model.arrays import Array, Float64s, gather, unpack
from hakken.model.manifest import FILE_NAME
from hakken.model.store import Artefact
from hakken.ratings import MIN_SCORE
from hakken.training.pipeline import Fitted
from hakken.training.stage_times import StageTimer
from hakken.training.tables import AnimeTable, Reading

REPORT_NAME = "index.html"
TEMPLATE = "report.html"
JUDGED, SHOWN = 20, 10
"""Best-known titles shown, and neighbours shown of each."""
SAMPLED = 200
"""Best-known titles whose similarities are drawn against their support."""


@dataclass(frozen=True, eq=False)
class Run:
    """Input and output of a training run, and the cost of its stages."""

    reading: Reading
    titles: AnimeTable
    fitted: Fitted
    artefact: Artefact
    progress: StageTimer

    @property
    def density(self) -> float:
        """Share of all pairs of a user and an anime that have a score."""
        sizes = self.artefact.manifest.sizes
        return sizes.scored / (sizes.users * sizes.items)


def write_report(run: Run, directory: Path) -> Path:
    """Write `index.html` into a directory, completely or not at all; the run's progress receives the stage.

    Raises:
        StorageError: the page can't be written.
    """
    page = directory / REPORT_NAME
    with run.progress.stage("report"):
        text = render(run)
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


def render(run: Run) -> str:
    """Render the page; it loads no resources and runs no scripts."""
    from hakken.training import report_charts as charts  # noqa: PLC0415  # loads matplotlib: a second

    def ranks(whose: str, counts: Array, x_name: str) -> dict[str, Any]:
        counts = counts[counts > 0]
        chart = charts.of_ranks(whose, counts, x_name)
        return {"chart": chart, "mean": counts.mean(), "median": int(np.median(counts)), "most": counts.max()}

    manifest, arrays = run.artefact.manifest, run.fitted.arrays
    counts = run.reading.points[MIN_SCORE:]
    sims = np.repeat(arrays.sim_scale.astype(np.float64), np.diff(arrays.sim_indptr)) * unpack(arrays.sim_values)
    best_known = np.argsort(-arrays.raters.astype(np.int64), kind="stable")[:SAMPLED]
    _, sampled = gather(arrays.sim_indptr, best_known)
    support = arrays.sim_support[sampled].astype(np.int64)
    return template(Path(__file__).with_name(TEMPLATE)).render(
        run=run,
        manifest=manifest,
        sizes=manifest.sizes,
        parameters=msgspec.structs.asdict(manifest.parameters),
        size=size_of(run.artefact),
        ratings=charts.of_scores(counts),
        top_share=counts[-1] / counts.sum(),
        per_user=ranks("user", run.reading.scored, "users, the most active first"),
        per_item=ranks("anime", arrays.raters, "anime, the best-known first"),
        similarities=charts.of_similarities(sims),
        median_sim=_median(sims),
        support=charts.of_support(support, sims[sampled]),
        sampled=len(best_known),
        median_support=int(_median(support)),
        judged=[_judged(run, i, sims) for i in best_known[:JUDGED].tolist()],
    )


def template(path: Path) -> Template:
    """A page that extends `report_base.html`."""
    loader = FileSystemLoader([path.parent, Path(__file__).parent])
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    templates.filters |= {"size": size_text, "in_words": in_words}
    return templates.get_template(path.name)


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


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _judged(run: Run, i: int, sims: Float64s) -> dict[str, Any]:
    """A title with its strongest neighbours; `sims` are all stored similarities, `(n_neighbours,)`."""
    arrays, titles = run.fitted.arrays, run.titles.catalogue

    def named(i: int) -> dict[str, Any]:
        anime_id = int(arrays.anime_ids[i])
        return {"title": titles.title(anime_id), "url": mal_page(anime_id), "adult": anime_id in titles.adult_ids}

    first, last = arrays.sim_indptr[i : i + 2].tolist()
    neighbours = [
        {**named(arrays.sim_indices[at]), "sim": float(sims[at]), "support": int(arrays.sim_support[at])}
        for at in range(first, min(last, first + SHOWN))
    ]
    return {**named(i), "raters": int(arrays.raters[i]), "neighbours": neighbours}
