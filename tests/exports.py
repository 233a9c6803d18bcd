"""Exports as MyAnimeList makes them."""

import random

from hakken.bundle import ModelBundle
from tests.serving import ROOT

SAMPLE = ROOT / "static" / "sample-export.xml"


def export_of(entries: int, bundle: ModelBundle) -> bytes:
    """A MyAnimeList export of many titles that a model knows."""
    chance = random.Random(entries)
    ids = sorted(chance.sample(bundle.model.arrays.anime_ids.tolist(), entries))
    anime = "".join(
        f"<anime><series_animedb_id>{one}</series_animedb_id><series_title><![CDATA[Title]]></series_title>"
        f"<my_score>{chance.randint(0, 10)}</my_score><my_status>Completed</my_status></anime>"
        for one in ids
    )
    return f"<myanimelist><myinfo><user_export_type>1</user_export_type></myinfo>{anime}</myanimelist>".encode()
