"""Models of the schemas before this one, and of later ones: what is read, what is refused, and how servers go on."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import msgspec
import numpy as np
import pytest
import requests

from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import FILE_NAME, Anime, Catalogue
from hakken.cli import recommend_once
from hakken.cli.main import main
from hakken.errors import ArtefactCorrupt, ArtefactTooNew
from hakken.model import Parameters, fold_in, hyperparameters, manifest, preference, store
from hakken.model.arrays import Array
from hakken.model.manifest import OLDEST_SCHEMA_VERSION, SCHEMA_VERSION
from hakken.model.store import Artefact
from hakken.ratings import Preferences, Rating, Recommendation, Status, UserList
from hakken.recommend import recommend
from hakken.registry.publish import publish, roll_back
from hakken.registry.storage import DirectoryStore
from make_recommendations import make_recommendations
from tests.fake_services import SAMPLE
from tests.golden import MODELS
from tests.serving import served, until, wait_for

HERE = Path(__file__).parent
EARLIER = range(OLDEST_SCHEMA_VERSION, SCHEMA_VERSION)
NEW_ARRAYS = {
    4: ("popularity.npy", *(f"attr_{name}.npy" for name in ("share", "indptr", "indices", "rows", "values", "scale"))),
    5: ("tree_features.npy", "tree_borders.npy", "tree_parts.npy"),
    6: (),
    7: ("factors.npy", "factor_scale.npy"),
}
"""The arrays that a schema was the first to have."""
SOMEONE = UserList.of([Rating(1, 9), Rating(2, 5), Rating(3, 7)])
ANOTHER = UserList.of([Rating(1, 9), Rating(5, 5), Rating(6, 7), Rating(16, 8), Rating(19, 3)])


def model_of(schema: int) -> Path:
    return MODELS["small"] if schema == 5 else HERE / f"schema-{schema}" / "model"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the model of schema 3."""
    return Path(shutil.copytree(model_of(3), tmp_path / "schema 3"))


def edit(directory: Path, change: Callable[[dict[str, Any]], object]) -> Artefact:
    """Change a manifest as it stands, of whatever schema; the artefact, read or not."""
    path = directory / "manifest.json"
    known = json.loads(path.read_text())
    change(known)
    path.write_text(json.dumps(known))
    described = msgspec.convert(json.loads((model_of(4) / "manifest.json").read_text()), manifest.Manifest)
    described = msgspec.structs.replace(
        described, created=known["created"], files=manifest.decode_files(path.read_bytes())
    )
    return Artefact(directory, described, manifest.version_of(described, path.read_bytes()))


def later(directory: Path) -> Artefact:
    """Make a model one of the next schema, whose parameters are written in a way that nobody knows yet."""

    def change(known: dict[str, Any]) -> None:
        known |= {"schema_version": SCHEMA_VERSION + 1, "parameters": [1, 2], "sizes": "large"}

    return edit(directory, change)


def recommends_as_then(bundle: ModelBundle, schema: int) -> None:
    """Hold a list against the one that was kept, of a time without variety.

    The last digits may be another processor's.
    """

    def plain(one: Recommendation) -> dict[str, Any]:
        fields = msgspec.structs.asdict(one)
        reasons = {reason.anime_id: pytest.approx(reason.share) for reason in one.reasons}
        return fields | {"match": pytest.approx(one.match), "reasons": reasons}

    then = msgspec.json.decode((HERE / f"schema-{schema}" / "recommended.json").read_bytes(), type=list[Recommendation])
    someone = ANOTHER if schema >= 5 else SOMEONE
    found = recommend(someone, bundle, Preferences(n=10, variety=0.0)).recommendations
    assert len(then) == 10
    shares = [{reason.anime_id: reason.share for reason in one.reasons} for one in found]
    assert [msgspec.structs.asdict(one) | {"reasons": share} for one, share in zip(found, shares, strict=True)] == [
        plain(one) for one in then
    ]


# Reading


@pytest.mark.parametrize("schema", EARLIER)
def test_a_model_of_an_earlier_schema_recommends_what_it_did(schema: int) -> None:
    bundle = ModelBundle.read(store.open_artefact(model_of(schema)))
    recommends_as_then(bundle, schema)
    assert bundle.model.manifest.schema_version == schema
    assert bool(bundle.model.arrays.tree_parts.size) == (schema == 5)


def test_popularity_and_attributes_before_they_were_stored() -> None:
    bundle = ModelBundle.read(store.open_artefact(model_of(3)))
    arrays, sizes = bundle.model.arrays, bundle.model.manifest.sizes
    np.testing.assert_allclose(bundle.model.popularity, (arrays.watchers + 20) / sizes.users, rtol=1e-7)
    assert not bundle.model.by_attributes[1]
    assert not arrays.attr_share.any()


def test_a_model_of_schema_3_learns_nothing_from_planned_titles() -> None:
    model = ModelBundle.read(store.open_artefact(model_of(3))).model
    planned = UserList.of([*SOMEONE.ratings, Rating(4, 0, Status.PLAN_TO_WATCH), Rating(5, 9, Status.PLAN_TO_WATCH)])
    one, other = (fold_in(model, listed).taste for listed in (SOMEONE, planned))
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.liking, other.liking)
    np.testing.assert_array_equal(preference(model, one), preference(model, other))


@pytest.mark.parametrize("schema", EARLIER)
def test_every_parameter_has_a_value_for_a_model_of_an_earlier_schema(schema: int) -> None:
    assert set(hyperparameters.LACKING) == set(range(EARLIER[0] + 1, SCHEMA_VERSION + 1))
    written = json.loads((model_of(schema) / "manifest.json").read_text())["parameters"]
    lacking = [hyperparameters.LACKING[later] for later in range(schema + 1, SCHEMA_VERSION + 1)]
    names = [name for one in (written, *lacking) for name in one]
    assert sorted(names) == sorted(Parameters.__struct_fields__)
    for one in lacking:
        msgspec.convert({**one}, Parameters)


def test_parameters_that_came_later_are_as_they_were_then_and_not_as_by_default(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "LACKING", {4: {"novelty": 0.5, "quality": 0.6}, 5: {"aversion": 0.3}, 6: {}, 7: {}})
    edit(old, lambda known: known["parameters"].pop("novelty"))
    found = store.open_artefact(old).manifest.parameters
    assert (found.novelty, found.aversion) == (0.5, 0.3)
    assert found.quality == Parameters().quality, "what it says itself counts"


@pytest.mark.parametrize("name", [name for names in NEW_ARRAYS.values() for name in names])
def test_a_model_of_todays_schema_without_a_new_array_is_corrupt(trained: Path, tmp_path: Path, name: str) -> None:
    directory = Path(shutil.copytree(trained, tmp_path / "copy"))
    (directory / name).unlink()
    edit(directory, lambda known: known["files"].pop(name))
    with pytest.raises(ArtefactCorrupt, match=f"lacks {re.escape(name)}"):
        ModelBundle.read(store.open_artefact(directory))


# Trees


@pytest.fixture
def with_trees(tmp_path: Path) -> Path:
    """A copy of a model that has trees."""
    return Path(shutil.copytree(MODELS["small"], tmp_path / "with trees"))


def put(directory: Path, name: str, array: Array) -> None:
    """Replace an array of an artefact, with its checksum."""
    np.save(directory / f"{name}.npy", array)
    entry = msgspec.structs.asdict(store.describe_file(directory / f"{name}.npy"))
    edit(directory, lambda known: known["files"].update({f"{name}.npy": entry}))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("tree_borders", np.nan, "tree_borders are not numbers"),
        ("tree_parts", np.inf, "tree_parts are not finite"),
    ],
)
def test_trees_that_no_training_gives_are_corrupt(with_trees: Path, name: str, value: float, told: str) -> None:
    array = np.load(with_trees / f"{name}.npy")
    array.flat[-1] = value
    put(with_trees, name, array)
    with pytest.raises(ArtefactCorrupt, match=told):
        ModelBundle.read(store.open_artefact(with_trees))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tree_features", r"tree_borders is float64\(2, 40, 3\), not float64\(2, 39, 3\)"),
        ("tree_borders", r"tree_borders is float64\(2, 39, 3\), not float64\(2, 40, 3\)"),
        ("tree_parts", r"tree_parts is float64\(2, 39, 8, 3\), not float64\(2, 40, 8, 3\)"),
    ],
)
def test_trees_of_which_a_part_is_missing_are_corrupt(with_trees: Path, name: str, told: str) -> None:
    put(with_trees, name, np.load(with_trees / f"{name}.npy")[:, :-1])
    with pytest.raises(ArtefactCorrupt, match=told):
        ModelBundle.read(store.open_artefact(with_trees))


def test_trees_that_read_features_we_do_not_compute_are_of_another_hakken(with_trees: Path) -> None:
    edit(with_trees, lambda known: known["features"].append("weather"))
    with pytest.raises(ArtefactTooNew, match=r"does not compute \(weather\)"):
        store.open_artefact(with_trees)


def test_trees_find_features_by_name(with_trees: Path) -> None:
    names = json.loads((with_trees / "manifest.json").read_text())["features"]
    backwards = (len(names) - 1 - np.load(with_trees / "tree_features.npy")).astype(np.uint8)
    put(with_trees, "tree_features", backwards)
    edit(with_trees, lambda known: known.update(features=names[::-1]))
    recommends_as_then(ModelBundle.read(store.open_artefact(with_trees)), 5)


@pytest.mark.parametrize("n_names", [0, 1, -1])
def test_trees_of_features_without_names_are_corrupt(with_trees: Path, n_names: int) -> None:
    edit(with_trees, lambda known: known.update(features=known["features"][:n_names]))
    with pytest.raises(ArtefactCorrupt, match="tree_features point past the manifest's features"):
        ModelBundle.read(store.open_artefact(with_trees))


# More of a manifest


@pytest.mark.parametrize("time", ["2026-99", "2026-02-30", "soon", "", "2026-03-01T25:00:00Z"])
def test_a_manifest_whose_data_are_of_no_time_is_corrupt(old: Path, time: str) -> None:
    edit(old, lambda known: known.update(data_time=time))
    with pytest.raises(ArtefactCorrupt, match="is not a time"):
        store.open_artefact(old)


@pytest.mark.parametrize("schema", EARLIER)
def test_a_new_catalogue_makes_an_old_model_one_of_todays_schema_that_recommends_the_same(
    tmp_path: Path, schema: int
) -> None:
    old = Path(shutil.copytree(model_of(schema), tmp_path / "old"))
    before = {path.name: path.read_bytes() for path in old.glob("*.npy")}
    titles = Catalogue.read(old / FILE_NAME)
    named = [msgspec.structs.replace(one, synopsis="New.") for one in titles.values()]
    put_catalogue(old, Catalogue([*named, Anime(anime_id=99, title="Unknown")]))
    made = store.open_artefact(old)
    assert made.manifest.schema_version == SCHEMA_VERSION
    assert {name: (old / name).read_bytes() for name in before} == before
    new = [name for later in range(schema + 1, SCHEMA_VERSION + 1) for name in NEW_ARRAYS[later]]
    assert {path.name for path in old.glob("*.npy")} == {*before, *new}
    recommends_as_then(ModelBundle.read(made), schema)


# Commands


def run(*arguments: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, list(map(str, arguments)))


def test_inspect_tells_the_schema_and_the_datas_time(old: Path) -> None:
    shown = run("inspect", old)
    assert shown.exit_code == 0
    assert "schema     3\n" in shown.output
    assert "data time  unknown\n" in shown.output
    assert "checksums  correct" in shown.output
    edit(old, lambda known: known.update(schema_version=SCHEMA_VERSION, data_time="2026-03"))
    assert "data time  2026-03\n" in run("inspect", old).output


def test_commands_say_that_a_model_is_too_new(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = later(Path(shutil.copytree(trained, tmp_path / "newer"))).directory
    (tmp_path / "users.jsonl").write_text("")
    monkeypatch.setenv("HAKKEN_MODEL", str(new))
    batch = ("recommend", "--model", new, "--input", tmp_path / "users.jsonl", "--output", tmp_path / "recs.jsonl")
    for done in (
        run("inspect", new),
        run(*batch),
        run("publish", new, tmp_path / "there"),
        click.testing.CliRunner().invoke(recommend_once.command(make_recommendations), ["--file", str(SAMPLE)]),
    ):
        assert done.exit_code == 1
        assert (
            f"Error: The model has schema version {SCHEMA_VERSION + 1}, this Hakken reads up to {SCHEMA_VERSION}: "
            "upgrade Hakken, or train the model with this one.\n"
        ) in done.output
    assert not (tmp_path / "there").exists()


# Publishing and serving


def test_a_rollback_goes_to_an_older_and_to_a_newer_schema(old: Path, trained: Path, tmp_path: Path) -> None:
    place = DirectoryStore(tmp_path / "there")
    new = later(Path(shutil.copytree(trained, tmp_path / "newer")))
    before, now = store.open_artefact(old), store.open_artefact(trained)
    for one in (new, before, now):
        publish(one, place)
    assert roll_back(place) == (now.version, before.version)
    assert store.open_artefact(place.root).manifest == before.manifest
    assert roll_back(place) == (before.version, new.version)
    with pytest.raises(ArtefactTooNew):
        store.open_artefact(place.root)
    publish(now, place)
    (place.root / "versions" / new.version / "b_i.npy").unlink()
    with pytest.raises(ArtefactCorrupt, match=r"lacks b_i\.npy"):
        roll_back(place)


@pytest.mark.parametrize("files", [None, [], {"../b_i.npy": {"bytes": 0, "sha256": "0" * 64}}])
def test_a_rollback_needs_a_list_of_files_all_the_same(old: Path, trained: Path, tmp_path: Path, files: object) -> None:
    place = DirectoryStore(tmp_path / "there")
    new = later(Path(shutil.copytree(trained, tmp_path / "newer")))
    described = json.loads((new.directory / "manifest.json").read_text()) | {"files": files}
    (new.directory / "manifest.json").write_text(json.dumps(described))
    publish(new, place)
    publish(store.open_artefact(old), place)
    with pytest.raises(ArtefactCorrupt, match="manifest can't be read"):
        roll_back(place)


def ready(address: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{address}/readyz", timeout=10).json()
    return found


def state(address: str) -> tuple[str, str | None]:
    """The version that a server serves, and what it complains of."""
    found = ready(address)
    return found["model"]["version"], found["latest"]["reason"]


def wait_for_another_look(address: str) -> None:
    looked = ready(address)["latest"]["looked"]
    until(lambda: ready(address)["latest"]["looked"] not in {None, looked})


def keeps(address: str, artefact: Artefact) -> None:
    """Wait until a server says that what is current is too new, and look that it goes on saying so and serving."""
    said = (
        "The model was made by a later Hakken, which this one can't read: upgrade this one. "
        "This server goes on with the version that it has."
    )
    until(lambda: state(address) == (artefact.version, said))
    wait_for_another_look(address)
    assert state(address) == (artefact.version, said)
    assert requests.get(f"{address}/recommendations?pick=1-9", timeout=10).status_code == 200


@pytest.fixture
def there(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "there")


@pytest.fixture
def environment(there: DirectoryStore) -> dict[str, str]:
    return {"HAKKEN_MODEL": str(there), "HAKKEN_MODEL_POLL": "0.2", "HAKKEN_FACTS_SOURCE": "off"}


def test_servers_of_both_schemas_follow_what_they_can_read_through_publications_and_rollbacks(
    there: DirectoryStore, environment: dict[str, str], old: Path, trained: Path, tmp_path: Path
) -> None:
    before, now = store.open_artefact(old), store.open_artefact(trained)
    again = Path(shutil.copytree(old, tmp_path / "schema 3, again"))
    edit(again, lambda known: known.update(created="2026-01-01T00:00:00Z"))
    publish(before, there)
    old_app, new_app = "tests.worker_probe:create_schema_3_app()", "ars_app:create_app()"
    with (
        served(old_app, **environment, HAKKEN_CACHE_DIR=str(tmp_path / "old")) as (old_server, process),
        served(new_app, **environment, HAKKEN_CACHE_DIR=str(tmp_path / "new")) as (new_server, _),
    ):

        def take(artefact: Artefact, *servers: str) -> None:
            until(lambda: all(state(server) == (artefact.version, None) for server in servers))

        for server in (old_server, new_server):
            wait_for(server)
        take(before, old_server, new_server)
        publish(now, there)
        take(now, new_server)
        keeps(old_server, before)
        roll_back(there)  # from today's to 3
        take(before, old_server, new_server)
        publish(now, there)
        publish(third := store.open_artefact(again), there)
        take(third, old_server, new_server)
        roll_back(there)  # from 3 to today's
        take(now, new_server)
        keeps(old_server, third)
        process.terminate()
        said, _ = process.communicate(timeout=20)
    assert said.count(f"schema version {SCHEMA_VERSION}, this Hakken reads up to 3") == 1
    assert f"{before.version} is served on." in said
    assert "Traceback" not in said


def test_a_server_without_any_version_says_that_what_is_there_is_too_new(
    there: DirectoryStore, environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    publish(store.open_artefact(trained), there)
    app = "tests.worker_probe:create_schema_3_app()"
    with served(app, **environment, HAKKEN_CACHE_DIR=str(tmp_path / "cache")) as (address, _):
        wait_for(address)
        for _ in range(2):  # the second look finds it refused
            wait_for_another_look(address)
            found = ready(address)
            assert found["status"] == "not ready"
            assert found["reason"] == found["latest"]["reason"]
            assert "made by a later Hakken" in found["reason"]
