"""The artefact store: what is damaged, missing, too new or hostile is refused in a sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hakken.bundle import ModelBundle
from hakken.catalogue import FILE_NAME, Anime, Catalogue
from hakken.errors import ArtefactCorrupt, ArtefactMissing, ArtefactTooNew, ModelError, StorageError
from hakken.model import store
from hakken.model.arrays import Array
from hakken.model.manifest import SCHEMA_VERSION
from tests.models import N_ITEMS


@pytest.fixture
def artefact(trained: Path, tmp_path: Path) -> Path:
    """A copy of the small model, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def change_manifest(directory: Path, **changes: object) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def sign(directory: Path, name: str) -> None:
    """Make the manifest agree with a changed file, so that only the file's content is wrong."""
    entry = store.describe_file(directory / name)
    files = json.loads((directory / "manifest.json").read_text())["files"]
    change_manifest(directory, files=files | {name: {"bytes": entry.bytes, "sha256": entry.sha256}})


def overwrite(directory: Path, name: str, content: bytes) -> None:
    (directory / name).write_bytes(content)
    sign(directory, name)


def rewrite(directory: Path, name: str, array: np.ndarray) -> None:
    np.save(directory / name, array, allow_pickle=True)
    sign(directory, name)


def test_a_whole_artefact_opens(trained: Path) -> None:
    artefact = store.open_artefact(trained)
    bundle = ModelBundle.read(artefact)
    assert bundle.model.n_items == N_ITEMS
    assert len(bundle.catalogue) == N_ITEMS - 4
    assert artefact.version.endswith(store.describe_file(trained / "manifest.json").sha256[:12])
    assert {path.suffix for path in trained.iterdir()} == {".npy", ".json", ".gz"}


def test_the_embedded_model_is_whole_small_and_holds_no_ratings() -> None:
    artefact = store.open_artefact("embedded")
    bundle = ModelBundle.read(artefact)
    assert bundle.model.n_items > 20_000
    assert len(bundle.catalogue) > 30_000
    assert sum(path.stat().st_size for path in artefact.directory.iterdir()) < 20 * 1024 * 1024
    lengths = {len(np.load(path, mmap_mode="r")) for path in artefact.directory.glob("*.npy")}
    assert not lengths & {artefact.manifest.sizes.entries, artefact.manifest.sizes.scored}


def test_arrays_are_mapped_and_read_only(bundle: ModelBundle) -> None:
    sims = bundle.model.arrays.sim_values
    assert isinstance(sims.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        sims[0] = 1


def test_no_model_is_missing_not_corrupt(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere", tmp_path / ("x" * 300)):
        with pytest.raises(ArtefactMissing, match="There is no model at"):
            store.open_artefact(place)


@pytest.mark.parametrize("name", ["sim_values.npy", "b_i.npy", FILE_NAME])
def test_any_changed_cut_or_missing_file_is_corrupt(artefact: Path, name: str) -> None:
    path = artefact / name
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), whole + b"\0", b""):
        path.write_bytes(damaged)
        with pytest.raises(ArtefactCorrupt, match="not what the manifest says"):
            store.open_artefact(artefact)
    path.unlink()
    with pytest.raises(ArtefactCorrupt, match="is missing"):
        store.open_artefact(artefact)


UNREADABLE = (
    *("", "{", "[]", "null", "{}", "\x00", "[" * 200_000, '{"schema_version": "x"}'),
    *('{"schema_version": 3}', '{"schema_version": 4}', '{"schema_version": 3, "parameters": []}'),
    *('{"schema_version": 3, "parameters": {}}', '{"schema_version": 3, "created": "\xff"}'),
)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        *((text, ArtefactCorrupt, "manifest can't be read") for text in UNREADABLE),
        *((f'{{"schema_version": {n}}}', ArtefactCorrupt, "an earlier Hakken's: train it again") for n in (0, 1, 2)),
        (
            f'{{"schema_version": {SCHEMA_VERSION + 1}, "parts": []}}',
            ArtefactTooNew,
            f"up to {SCHEMA_VERSION}: upgrade",
        ),
    ],
)
def test_a_manifest_that_is_none_or_of_another_schema_is_told(
    artefact: Path, text: str, error: type[ModelError], told: str
) -> None:
    (artefact / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(error, match=told):
        store.open_artefact(artefact)


@pytest.mark.parametrize("name", ["../evil.npy", "/etc/passwd", "a/b.npy", "..", ".hidden", "", "a\\b", "x\n"])
def test_file_names_are_plain_names(artefact: Path, name: str) -> None:
    change_manifest(artefact, files={name: {"bytes": 0, "sha256": "0" * 64}})
    with pytest.raises(ArtefactCorrupt, match="manifest can't be read"):
        store.open_artefact(artefact)


@pytest.mark.parametrize("version", ["../copy", "/etc", "..", "a/b", "", "x\n"])
def test_a_pointer_does_not_lead_out_of_its_directory(artefact: Path, tmp_path: Path, version: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    digest = store.describe_file(artefact / "manifest.json").sha256
    (root / "current.json").write_text(json.dumps({"version": version, "manifest_sha256": digest}))
    with pytest.raises(ArtefactCorrupt, match=r"current\.json"):
        store.open_artefact(root)


Change = Callable[[Array], Array]


def first(value: float) -> Change:
    """An array with another first value."""

    def change(array: Array) -> Array:
        array.flat[0] = value
        return array

    return change


POISON: list[tuple[str, Change, str]] = [
    ("b_i", lambda one: one.astype(np.float32), "b_i is float32"),
    ("b_i", lambda one: np.append(one, 0.0), rf"b_i is float64\({N_ITEMS + 1},\), not"),
    ("b_i", lambda one: one[:, np.newaxis], rf"b_i is float64\({N_ITEMS}, 1\), not"),
    ("b_i", lambda one: np.array([{}] * len(one), dtype=object), "can't be read"),
    ("b_i", first(np.nan), "b_i is not finite"),
    ("anime_ids", np.zeros_like, "anime_ids are not ascending"),
    ("anime_ids", first(-1), "anime_ids are not positive"),
    ("sim_scale", first(-1), "sim_scale is negative"),
    ("pref_indptr", lambda one: np.r_[0, 2**63 - 1, -(2**63), -1, one[4:]], "pref_indptr does not cut pref_indices"),
    ("pref_indptr", lambda one: np.r_[0, np.full_like(one[1:], one[-1])], "a row of pref_indices is longer"),
    ("anime_ids", lambda _: np.array(1, dtype=np.int32), r"anime_ids is int32\(\), not int32\(1,\)"),
    ("sim_indptr", lambda one: one * 10**6, "sim_indptr does not cut sim_indices into rows"),
    ("sim_indptr", lambda one: np.r_[0, 5, 3, one[3:]], "sim_indptr does not cut sim_indices into rows"),
    ("sim_indices", lambda one: np.full_like(one, N_ITEMS), "sim_indices point past the last column"),
    ("sim_support", lambda one: one.astype(np.float64), "sim_support is float64"),
    ("sim_support", lambda one: one[1:], "sim_support is uint16"),
    ("popularity", first(0), "popularity is not positive"),
    ("popularity", first(-1), "popularity is not positive"),
    ("popularity", first(np.nan), "popularity is not "),
    ("popularity", first(np.inf), "popularity is not finite"),
    ("attr_share", first(np.nan), "attr_share is not finite"),
    ("attr_share", lambda one: one[1:], rf"attr_share is float32\({N_ITEMS - 1},\), not float32\({N_ITEMS},\)"),
    ("attr_scale", first(np.inf), "attr_scale is not finite"),
    ("attr_scale", lambda _: np.array(1, dtype=np.float32), r"int8\(\d+, 1\)"),
    ("factor_scale", first(np.nan), "factor_scale is not finite"),
    ("factor_scale", first(-1), "factor_scale is negative"),
    ("factor_scale", first(1e38), "factor_scale is above 1"),
    ("factor_scale", lambda one: one[1:], rf"factor_scale is float32\({N_ITEMS - 1},\), not float32\({N_ITEMS},\)"),
    ("factors", lambda one: one[1:], r"factors is int8\(\d+, \d+\), not int8"),
    ("factors", lambda one: one[:, :0].ravel(), r"factors is int8\(0,\), not int8"),
    ("factors", lambda one: one.astype(np.float32), "factors is float32"),
    ("attr_rows", first(N_ITEMS), "attr_rows point past attr_values"),
    ("attr_rows", first(-2), "attr_rows point past attr_values"),
    ("attr_indices", first(999), "attr_indices point past the last column"),
    ("attr_indices", lambda one: np.append(one, np.uint16(0)), "attr_indptr does not cut attr_indices into rows"),
    ("attr_indices", lambda _: np.array(1, dtype=np.uint16), r"attr_indices is uint16\(\)"),
    ("attr_indptr", first(1), "attr_indptr does not cut attr_indices into rows"),
    ("attr_values", lambda one: one[:, 1:], r"attr_values is int8\(\d+, \d+\), not"),
    ("attr_values", lambda one: one[:, 0], "attr_values is int8"),
    ("attr_values", lambda _: np.array(1, dtype=np.int8), r"attr_values is int8\(\), not"),
    ("attr_values", lambda one: one.astype(np.int16), "attr_values is int16"),
]


@pytest.mark.parametrize(("name", "change", "said"), POISON)
def test_arrays_with_right_checksums_that_do_not_fit_together_are_told(
    artefact: Path, name: str, change: Change, said: str
) -> None:
    rewrite(artefact, f"{name}.npy", change(np.load(artefact / f"{name}.npy")))
    with pytest.raises(ArtefactCorrupt, match=said):
        ModelBundle.read(store.open_artefact(artefact))


@pytest.mark.parametrize(
    "damage",
    [
        lambda at: change_manifest(at, people={"scores": [1] * 9, "b_u": [0] * 21}),
        lambda at: overwrite(at, "b_i.npy", b"hello"),
        lambda at: change_manifest(at, files={}),  # a file that nobody has checked is not used, right as it may be
        lambda at: overwrite(at, FILE_NAME, b"hello"),
    ],
)
def test_files_with_right_checksums_and_wrong_contents_are_corrupt(
    artefact: Path, damage: Callable[[Path], None]
) -> None:
    damage(artefact)
    with pytest.raises(ArtefactCorrupt):
        ModelBundle.read(store.open_artefact(artefact))


def test_attributes_of_a_model_that_has_none_are_told(artefact: Path) -> None:
    rewrite(artefact, "attr_scale.npy", np.zeros(0, dtype=np.float32))
    rewrite(artefact, "attr_values.npy", np.zeros((len(np.load(artefact / "attr_values.npy")), 0), dtype=np.int8))
    rewrite(artefact, "attr_indices.npy", np.zeros_like(np.load(artefact / "attr_indices.npy")))
    with pytest.raises(ArtefactCorrupt, match="attr_indices point past the last column"):
        ModelBundle.read(store.open_artefact(artefact))


def test_a_directory_of_versions_is_read_through_its_pointer(trained: Path, tmp_path: Path) -> None:
    whole = store.open_artefact(trained)
    version = tmp_path / "versions" / whole.version
    shutil.copytree(trained, version)
    digest = store.describe_file(version / "manifest.json").sha256
    (tmp_path / "current.json").write_text(json.dumps({"version": whole.version, "manifest_sha256": digest}))
    assert store.open_artefact(tmp_path) == whole._replace(directory=version)
    change_manifest(version, created="2020-01-01T00:00:00Z")
    with pytest.raises(ArtefactCorrupt, match=r"not the one that current\.json names"):
        store.open_artefact(tmp_path)


def test_an_unreadable_place_is_a_model_error(artefact: Path, tmp_path: Path) -> None:
    (artefact / "b_i.npy").unlink()
    (artefact / "b_i.npy").mkdir()
    with pytest.raises(ModelError):
        store.open_artefact(artefact)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Nothing can be written"), store.replacing(tmp_path / "file" / "model"):
        pass


def test_replacing_swaps_the_whole_directory_and_readers_of_the_old_keep_it(trained: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    shutil.copytree(trained, target)
    old = ModelBundle.read(store.open_artefact(target))
    before = old.model.arrays.sim_values.sum()
    with store.replacing(target) as staged:
        (staged / "manifest.json").write_text("{}")
        assert (target / "b_i.npy").exists()
    assert [path.name for path in target.iterdir()] == ["manifest.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert old.model.arrays.sim_values.sum() == before
    assert oct(target.stat().st_mode)[-3:] == "755"


def test_the_catalogue_file_is_the_same_for_the_same_titles_in_any_order(tmp_path: Path) -> None:
    anime = [Anime(anime_id=i, title=f"Ä {i}", genres=("A", "B"), mean=7.5) for i in (3, 1, 2)]
    for name, order in (("a", anime), ("b", anime[::-1])):
        Catalogue(order).write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(Catalogue.read(tmp_path / "a").values()) == sorted(anime, key=lambda one: one.anime_id)
