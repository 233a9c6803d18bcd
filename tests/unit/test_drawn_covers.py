"""Covers that the stand-in draws: any title gives a drawing whose letters have room, by the widths they are set to."""

from xml.etree.ElementTree import fromstring

from hypothesis import example, given
from hypothesis import strategies as st

from hakken.ratings import MAX_ANIME_ID
from tests.standin.covers import HEIGHT, MARGIN, SMALLEST, WIDTH, cover

LONG = "Mushoku Tensei: Isekai Ittara Honki Dasu, an exceedingly long title that goes on & on, with <no end> in sight"


@given(st.integers(1, MAX_ANIME_ID), st.text(max_size=300), st.text(max_size=60))
@example(1, "", "")
@example(1, LONG, "A studio with a name that is longer than any cover is wide 1998")
@example(2, "W" * 300, "& <2001>")
@example(3, "カウボーイビバップ 天国の扉", "\0")
@example(4, "a\0b\x0bc\ud800 \ufffe", "\ud800")
def test_any_title_has_room_and_is_text(anime_id: int, title: str, credit: str) -> None:
    drawn = cover(anime_id, title, credit)

    assert drawn == cover(anime_id, title, credit)
    texts = [one for one in fromstring(drawn).iter() if one.tag.endswith("}text")]
    for one in texts:
        width, x = float(one.attrib["textLength"]), float(one.attrib["x"])
        left = x - width / 2 if one.attrib["text-anchor"] == "middle" else x
        assert MARGIN - 0.1 <= left <= left + width <= WIDTH - MARGIN + 0.1
        size, y = float(one.attrib["font-size"]), float(one.attrib["y"])
        assert MARGIN / 2 <= y - size * 0.86 <= y <= HEIGHT - MARGIN + 0.1
    *name, _ = texts
    assert all(float(one.attrib["font-size"]) >= SMALLEST - 0.1 for one in name)
    shown = " ".join(one.text or "" for one in name)
    words = "".join(one for one in " ".join(title.split()) if one.isprintable()).split()
    assert shown == " ".join(words) or shown.endswith("…")


def test_titles_get_covers_of_their_own() -> None:
    scenes = {cover(anime_id, "").partition("</defs>")[2] for anime_id in range(1, 60)}
    assert len(scenes) == 59
