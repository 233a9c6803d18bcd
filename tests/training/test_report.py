"""The training report: every section is there, its figures are right, and it runs and loads nothing."""

import dataclasses
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from playwright.sync_api import Browser, Request

from hakken.catalogue import Anime, Catalogue
from hakken.errors import StorageError
from hakken.model import Parameters
from hakken.model.manifest import FileEntry
from hakken.model.store import Artefact
from hakken.training import fit, report_charts
from hakken.training import report as reporting
from hakken.training.report import Run, Sample, render, sample_neighbours, write_report
from hakken.training.stage_times import Stage, StageTimer
from hakken.training.tables import AnimeTable, RatingTable
from tests.models import N_ITEMS, small_catalogue
from tests.training.learning import train
from tests.training.strategies import rating_tables

PARAMETERS = Parameters(k_stored=60, shrinkage=10)
HOSTILE = '<script>alert("x")</script> & \u202etitle'
SECTIONS = ("What was read", "The ratings", "The similarities", "The strongest neighbours", "How it was made")
CHARTS = ("Histogram of scores", "Scores per user", "Scores per anime", "Histogram of the stored", "Map of similarity")


class Stopped(StageTimer):
    """Whose clock stands still."""

    seconds, peak = 12.3, 456_000_000


def finished(table: RatingTable, out: Path, titles: Catalogue) -> Run:
    progress = Stopped()
    progress.stages.append(Stage("similarities", 7.5, None))
    fitted = fit(table, PARAMETERS)
    anime = AnimeTable(titles, dropped=Counter({"no title": 2}), examples={"no title": ("a.csv, line 3",)})
    return Run(table, anime, fitted, train(table, titles, out, PARAMETERS), progress)


def anew(run: Run) -> Run:
    """The same, to write a report of: its own progress is not told of the writing."""
    return dataclasses.replace(run, progress=Stopped())


@pytest.fixture(scope="module")
def best_known(table: RatingTable) -> list[int]:
    """Inner indices, the best-known first."""
    raters = np.bincount(table.items[table.scores > 0], minlength=len(table.anime_ids))
    return sorted(range(len(raters)), key=lambda i: (-raters[i], i))


@pytest.fixture(scope="module")
def run(table: RatingTable, best_known: list[int], tmp_path_factory: pytest.TempPathFactory) -> Run:
    hostile = int(table.anime_ids[best_known[0]])
    rest = [anime for anime in small_catalogue().values() if anime.anime_id != hostile]
    titles = Catalogue([*rest, Anime(anime_id=hostile, title=HOSTILE, adult=True)])
    return finished(table, tmp_path_factory.mktemp("models") / "model", titles)


@pytest.fixture(scope="module")
def sample(run: Run) -> Sample:
    return sample_neighbours(run.fitted.arrays)


@pytest.fixture(scope="module")
def page(run: Run, sample: Sample) -> str:
    return render(run, sample)


def test_every_section_and_chart_is_there(page: str, run: Run) -> None:
    assert [heading for heading in SECTIONS if f"<h2>{heading}" not in page] == []
    assert [label for label in CHARTS if f'aria-label="{label}' not in page] == []
    assert page.count("<svg") == page.count("</svg>") == len(CHARTS)
    assert page.count('<article class="sheet">') == 20
    assert run.artefact.version in page
    for figure in (
        f"{run.table.rows:,} rows",
        f"{run.artefact.manifest.mu:.3f}",
        f"{run.density:.2%}",
        "456 MB",
        "12.3",
    ):
        assert figure in page
    for name in Parameters.__struct_fields__:
        assert f"<td>{name}</td>" in page
    assert re.search(r"similarities</td><td class=.n.>7\.5</td><td class=.n.>not known<", page)


def test_what_was_left_out_is_there_with_its_places(page: str) -> None:
    assert re.search(r"no title</td><td class=.n.>2</td><td>a\.csv, line 3<", page)


def test_titles_are_escaped_and_nothing_runs(page: str) -> None:
    assert "&lt;script&gt;alert" in page
    assert "<script" not in page
    assert '<span class="tag">18+</span>' in page


def test_nothing_is_loaded(page: str) -> None:
    assert not re.search(r"src(?:set)?=|href=\"(?!#|data:|https)|url\((?!#)|@import|<(?:img|iframe|object|embed)", page)
    assert re.findall(r'<link rel="icon" href="([^"]+)"', page) == ["data:,"]
    linked = set(re.findall(r'href="(?!data:,|#)([^"]+)"', page))
    assert all(re.fullmatch(r"https://myanimelist\.net/anime/\d+", address) for address in linked)


def test_the_same_run_gives_the_same_page(run: Run, page: str) -> None:
    assert render(run, sample_neighbours(run.fitted.arrays)) == page


def test_the_sample_is_the_best_known_titles_with_their_stored_neighbours_and_true_support(
    run: Run, sample: Sample, best_known: list[int]
) -> None:
    arrays, table = run.fitted.arrays, run.table
    assert sample.items.tolist() == best_known[: reporting.SAMPLED]
    raters = [set(table.users[(table.items == i) & (table.scores > 0)].tolist()) for i in range(N_ITEMS)]
    for n in (0, 1, 17, len(sample.items) - 1):
        i, row = sample.items[n], slice(sample.indptr[n], sample.indptr[n + 1])
        stored = slice(arrays.sim_indptr[i], arrays.sim_indptr[i + 1])
        neighbours = sample.neighbours[row].tolist()
        assert neighbours == arrays.sim_indices[stored].tolist()
        assert sample.support[row].tolist() == [len(raters[i] & raters[j]) for j in neighbours]
        assert sorted(sample.sims[row], reverse=True) == sample.sims[row].tolist()


def test_the_cards_show_the_strongest_neighbours(run: Run, sample: Sample, page: str) -> None:
    card = page.split('<article class="sheet">')[2].partition("</article>")[0]
    rows = re.findall(r"<bdi>([^<]+)</bdi></a></td><td[^>]*>([\d.]+)</td><td[^>]*>([\d,]+)<", card)
    begin = sample.indptr[1]
    ids = run.fitted.arrays.anime_ids
    assert rows == [
        (run.titles.catalogue.title(int(ids[sample.neighbours[n]])), f"{sample.sims[n]:.3f}", f"{sample.support[n]:,}")
        for n in range(begin, begin + 10)
    ]


@settings(max_examples=8, deadline=None)
@given(table=rating_tables())
def test_the_smallest_table_has_a_report(table: RatingTable) -> None:
    fitted = fit(table, PARAMETERS)
    manifest = fitted.manifest
    artefact = Artefact(Path(__file__).parents[2] / "hakken" / "embedded", manifest, "v")
    manifest.files["b_i.npy"] = FileEntry(1, "0" * 64)
    run = Run(table, AnimeTable(Catalogue([]), table.dropped, {}), fitted, artefact, Stopped())
    text = render(run, sample_neighbours(fitted.arrays))
    assert text.count("<svg") == len(CHARTS)
    assert "nan" not in text.lower().replace("hakken", "")


# Writing it


def test_a_place_that_is_none_is_told_of_and_so_is_the_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"The model is in .*model, but its report can't be written to .*file"):
        write_report(anew(run), tmp_path / "file")


# Charts


@pytest.mark.parametrize(
    ("size", "text"), [(7, "7 bytes"), (5_400, "5.4 kB"), (431_000_000, "431 MB"), (5_400_000_000, "5.4 GB")]
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert reporting.size_text(size) == text


def test_a_map_holds_every_point_once_and_has_tooltips_and_the_colours_of_the_page() -> None:
    drawn = report_charts.of_support(np.array([1, 5, 5, 900]), np.array([0.1, 0.4, 0.4, 0.2]))
    assert sorted(re.findall(r"<title>[^<]+: (\d+) pairs</title>", drawn)) == ["1", "1", "2"]
    assert sorted(re.findall(r"opacity: (0\.\d\d)", drawn)) == ["0.67"] * 2  # one without, which is the strongest
    assert drawn.count("var(--strong)") == 3
    assert "#" not in re.sub(r'(?:url\(|href=")#', "", drawn)
    assert not re.search(r'<g id=|NaN|"nan"', drawn)


# In a browser


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_asks_for_nothing_complains_of_nothing_and_need_not_scroll_sideways(
    browser: Browser, page: str, tmp_path: Path, width: int
) -> None:
    file = tmp_path / "index.html"
    file.write_text(page, encoding="utf-8")
    asked: list[str] = []
    complaints: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        tab = context.new_page()
        tab.on("request", note)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(file.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("article h3").first.inner_text().startswith('<script>alert("x")</script>')
        assert tab.locator("svg").first.bounding_box()
    assert asked == [file.as_uri()]
    assert complaints == []
