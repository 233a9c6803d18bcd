"""The training report: every section is there, its figures are right, and it runs and loads nothing."""

import dataclasses
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from playwright.sync_api import Browser

from hakken.catalogue import Anime, Catalogue
from hakken.errors import StorageError
from hakken.model import Parameters
from hakken.model.manifest import FileEntry
from hakken.model.store import Artefact
from hakken.training import fit, report_charts
from hakken.training import report as reporting
from hakken.training.report import Run, render, write_report
from hakken.training.stage_times import Stage, StageTimer
from hakken.training.tables import AnimeTable, RatingTable
from tests.models import small_catalogue
from tests.training.learning import train
from tests.training.strategies import rating_tables

PARAMETERS = Parameters(k_stored=60, shrinkage=10)
HOSTILE = '<script>alert("x")</script> & \u202etitle'
SECTIONS = ("What was read", "The ratings", "The similarities", "The strongest neighbours", "How it was made")
CHARTS = ("Histogram of scores", "Scores per user", "Scores per anime", "Histogram of the stored", "Map of similarity")


class Stopped(StageTimer):
    """Whose clock stands still."""

    seconds, peak = 12.3, 456_000_000


@pytest.fixture(scope="module")
def best_known(table: RatingTable) -> list[int]:
    """Inner indices, the best-known first."""
    raters = np.bincount(table.items[table.scores > 0], minlength=len(table.anime_ids))
    return sorted(range(len(raters)), key=lambda i: (-raters[i], i))


@pytest.fixture(scope="module")
def run(table: RatingTable, best_known: list[int], tmp_path_factory: pytest.TempPathFactory) -> Run:
    hostile = Anime(anime_id=int(table.anime_ids[best_known[0]]), title=HOSTILE, adult=True)
    titles = Catalogue([*(one for one in small_catalogue().values() if one.anime_id != hostile.anime_id), hostile])
    anime = AnimeTable(titles, dropped=Counter({"no title": 2}), examples={"no title": ("a.csv, line 3",)})
    progress = Stopped()
    progress.stages.append(Stage("similarities", 7.5, None))
    artefact = train(table, titles, tmp_path_factory.mktemp("models") / "model", PARAMETERS)
    return Run(table.reading, anime, fit(table, PARAMETERS), artefact, progress)


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return render(run)


def test_every_section_and_chart_is_there_and_the_same_again(page: str, run: Run) -> None:
    assert [heading for heading in SECTIONS if f"<h2>{heading}" not in page] == []
    assert [label for label in CHARTS if f'aria-label="{label}' not in page] == []
    assert page.count("<svg") == page.count("</svg>") == len(CHARTS)
    assert page.count('<article class="sheet">') == 20
    assert run.artefact.version in page
    mu = run.artefact.manifest.mu
    for figure in (f"{run.reading.rows:,} rows", f"{mu:.3f}", f"{run.density:.2%}", "456 MB", "12.3"):
        assert figure in page
    for name in Parameters.__struct_fields__:
        assert f"<td>{name}</td>" in page
    assert re.search(r"similarities</td><td class=.n.>7\.5</td><td class=.n.>not known<", page)
    assert re.search(r"no title</td><td class=.n.>2</td><td>a\.csv, line 3<", page)
    assert render(run) == page


def test_titles_are_escaped_nothing_runs_and_nothing_is_loaded(page: str) -> None:
    assert "&lt;script&gt;alert" in page
    assert "<script" not in page
    assert '<span class="tag">18+</span>' in page
    assert not re.search(r"src(?:set)?=|href=\"(?!#|data:|https)|url\((?!#)|@import|<(?:img|iframe|object|embed)", page)
    assert re.findall(r'<link rel="icon" href="([^"]+)"', page) == ["data:,"]
    linked = set(re.findall(r'href="(?!data:,|#)([^"]+)"', page))
    assert all(re.fullmatch(r"https://myanimelist\.net/anime/\d+", address) for address in linked)


def test_the_cards_show_the_strongest_neighbours_of_the_best_known_with_their_true_support(
    run: Run, table: RatingTable, best_known: list[int], page: str
) -> None:
    arrays = run.fitted.arrays
    raters = [set(table.users[(table.items == i) & (table.scores > 0)].tolist()) for i in range(len(best_known))]
    for i, card in zip(best_known[1:], page.split('<article class="sheet">')[2:], strict=False):
        rows = re.findall(r"<bdi>([^<]+)</bdi></a></td><td[^>]*>([\d.]+)</td><td[^>]*>([\d,]+)<", card)
        first = arrays.sim_indptr[i]
        nearest = arrays.sim_indices[first : min(first + 10, arrays.sim_indptr[i + 1])].tolist()
        sims = arrays.sim_scale[i] * arrays.sim_values[first : first + 10].astype(np.float64) ** 1.25
        assert [(title, int(support.replace(",", ""))) for title, _, support in rows] == [
            (run.titles.catalogue.title(int(arrays.anime_ids[j])), len(raters[i] & raters[j])) for j in nearest
        ]
        assert [float(sim) for _, sim, _ in rows] == pytest.approx(sims[: len(rows)].tolist(), abs=6e-4)


def test_the_map_and_its_median_are_of_the_best_known(
    run: Run, best_known: list[int], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = run.fitted.arrays
    monkeypatch.setattr(reporting, "SAMPLED", 7)
    support = np.concatenate([arrays.sim_support[slice(*arrays.sim_indptr[i : i + 2])] for i in best_known[:7]])
    fewer = render(run)
    assert fewer != page
    assert f"a support of at most {int(np.median(support)):,}." in fewer
    chart = fewer[fewer.index('aria-label="Map of similarity') :].partition("</svg>")[0]
    pairs = [int(n.replace(",", "")) for n in re.findall(r"<title>[^<]+: ([\d,]+) pairs</title>", chart)]
    assert sum(pairs) == len(support)


@settings(max_examples=4, deadline=None)
@given(table=rating_tables())
def test_the_smallest_table_has_a_report(table: RatingTable) -> None:
    fitted = fit(table, PARAMETERS)
    artefact = Artefact(Path(__file__).parents[2] / "hakken" / "embedded", fitted.manifest, "v")
    fitted.manifest.files["b_i.npy"] = FileEntry(1, "0" * 64)
    text = render(Run(table.reading, AnimeTable(Catalogue([]), table.dropped, {}), fitted, artefact, Stopped()))
    assert text.count("<svg") == len(CHARTS)
    assert "nan" not in text.lower().replace("hakken", "")


def test_a_place_that_is_none_is_told_of_and_so_is_the_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"The model is in .*model, but its report can't be written to .*file"):
        write_report(dataclasses.replace(run, progress=Stopped()), tmp_path / "file")


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


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_asks_for_nothing_complains_of_nothing_and_need_not_scroll_sideways(
    browser: Browser, page: str, tmp_path: Path, width: int
) -> None:
    file = tmp_path / "index.html"
    file.write_text(page, encoding="utf-8")
    events: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        tab = context.new_page()
        tab.on("request", lambda request: events.append(request.url))
        tab.on("console", lambda message: events.append(message.text))
        tab.on("pageerror", lambda error: events.append(str(error)))
        tab.goto(file.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("article h3").first.inner_text().startswith('<script>alert("x")</script>')
        assert tab.locator("svg").first.bounding_box()
    assert events == [file.as_uri()]
