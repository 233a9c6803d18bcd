"""Franchises, on real titles: who belongs together and who does not, where one begins, what follows what."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.catalogue import Anime, Catalogue
from hakken.franchises import Relation, with_franchises

TITLES = Path(__file__).with_name("franchise_titles.csv")

SAME_NAME = [
    ("Sword Art Online", "Sword Art Online II"),
    ("Psycho-Pass", "Psycho-Pass 2"),
    ("Fate/Zero", "Fate/Zero 2nd Season"),
    ("Haikyuu!!", "Haikyuu!! Second Season"),
    ("Rinne no Lagrange", "Rinne no Lagrange Season 2"),
    ("Major S1", "Major S2"),
    ("Shakugan no Shana", "Shakugan no Shana III (Final)"),
    ("Code Geass: Hangyaku no Lelouch", "Code Geass: Hangyaku no Lelouch R2"),
    ("Initial D First Stage", "Initial D Fourth Stage"),
    ("Kimi to Boku.", "Kimi to Boku. 2"),
    ("Girls Bravo: First Season", "Girls Bravo: Second Season"),
    ("Steins;Gate", "Steins;Gate 0"),
    ("Gintama", "Gintama'"),
    ("Gintama", "Gintama°"),
    ("K-On!", "K-On!!"),
    ("Working!!", "Working'!!"),
    ("Yuru Yuri", "Yuru Yuri♪♪"),
    ("Dog Days", "Dog Days''"),
    ("Nisekoi", "Nisekoi:"),
    ("Kamisama Hajimemashita", "Kamisama Hajimemashita◎"),
    ("Seitokai Yakuindomo", "Seitokai Yakuindomo*"),
    ("Shinryaku! Ika Musume", "Shinryaku!? Ika Musume"),
    ("Gochuumon wa Usagi Desu ka?", "Gochuumon wa Usagi Desu ka??"),
    ("Mushishi", "Mushishi Zoku Shou"),
    ("Digimon Adventure", "Digimon Adventure 02"),
    ("Mobile Suit Gundam", "Mobile Suit Gundam 00"),
    ("Mobile Suit Gundam", "Mobile Suit Gundam: Iron-Blooded Orphans"),
    ("Clannad", "Clannad: After Story"),
    ("Naruto", "Naruto: Shippuuden"),
    ("K", "K: Missing Kings"),
    ("Magi: The Labyrinth of Magic", "Magi: The Kingdom of Magic"),
    ("Darker than Black: Kuro no Keiyakusha", "Darker than Black: Ryuusei no Gemini"),
    (
        "Danganronpa: Kibou no Gakuen to Zetsubou no Koukousei The Animation",
        "Danganronpa 3: The End of Kibougamine Gakuen - Zetsubou-hen",
    ),
    ("Fate/stay night", "Fate/Zero"),
    (".hack//Sign", ".hack//Roots"),
    ("Mahou Shoujo Madoka★Magica", "Mahou Shoujo Madoka★Magica Movie 3: Hangyaku no Monogatari"),
    ("Toradora!", "Toradora!: SOS!"),
    ("Another", "Another: The Other - Inga"),
    ("Air", "Air Movie"),
    ("11eyes", "11eyes Picture Drama"),
    ("Black★Rock Shooter (OVA)", "Black★Rock Shooter (TV)"),
    ("Mirai Nikki (TV)", "Mirai Nikki"),
    ("Amnesia", "Amnesia OVA"),
    ("Fullmetal Alchemist", "Fullmetal Alchemist: Brotherhood"),
    ("Hunter x Hunter", "Hunter x Hunter (2011)"),
    ("Kanon", "Kanon (2006)"),
    ("Berserk", "Berserk (2016)"),
    ("IS: Infinite Stratos", "IS: Infinite Stratos 2 - Infinite Wedding"),
    ("Kanokon", "Kanokon Specials"),
    ("Queen's Blade: Rurou no Senshi", "Queen's Blade: Rebellion"),
    ("Little Witch Academia (TV)", "Little Witch Academia"),
    ("Ghost in the Shell", "Ghost in the Shell: Stand Alone Complex"),
    ("JoJo no Kimyou na Bouken", "JoJo no Kimyou na Bouken: Stardust Crusaders"),
    ("Lupin III", "Lupin III vs. Detective Conan"),
    ("Uchuu Senkan Yamato", "Uchuu Senkan Yamato: Kanketsu-hen"),
    ("Full Metal Panic!", "Full Metal Panic! The Second Raid"),
    ("Yahari Ore no Seishun Love Comedy wa Machigatteiru.", "Yahari Ore no Seishun Love Comedy wa Machigatteiru. Zoku"),
    ("Uta no☆Prince-sama♪ Maji Love 1000%", "Uta no☆Prince-sama♪ Maji Love 2000%"),
]
"""Titles of one franchise: by their name."""

OTHER_NAMES = [
    ("Sengoku Basara", "Sengoku Basara Two"),
    ("Noragami", "Noragami Aragoto"),
    ("Tokyo Ghoul", "Tokyo Ghoul √A"),
    ("Freezing", "Freezing Vibration"),
    ("Higurashi no Naku Koro ni", "Higurashi no Naku Koro ni Kai"),
    ("Natsume Yuujinchou", "Zoku Natsume Yuujinchou"),
    ("Natsume Yuujinchou", "Natsume Yuujinchou San"),
    ("Minami-ke", "Minami-ke Okawari"),
    ("Durarara!!", "Durarara!!x2 Shou"),
    ("Dragon Ball", "Dragon Ball Z"),
    ("To LOVE-Ru", "Motto To LOVE-Ru"),
    ("To LOVE-Ru", "To LOVE-Ru Darkness"),
    ("Hellsing", "Hellsing Ultimate"),
    ("Top wo Nerae! Gunbuster", "Top wo Nerae 2! Diebuster"),
    ("Love Live! School Idol Project", "Love Live! Sunshine!!"),
    ("Naruto", "Boruto: Naruto the Movie"),
    ("Naruto", "The Last: Naruto the Movie"),
    ("Kizumonogatari I: Tekketsu-hen", "Kizumonogatari II: Nekketsu-hen"),
    ("Chuunibyou demo Koi ga Shitai!", "Takanashi Rikka Kai: Chuunibyou demo Koi ga Shitai! Movie"),
    ("Neon Genesis Evangelion", "Evangelion: 1.0 You Are (Not) Alone"),
    ("Suzumiya Haruhi no Yuuutsu", "Suzumiya Haruhi no Shoushitsu"),
    ("Toaru Majutsu no Index", "Toaru Kagaku no Railgun"),
    ("Seikai no Monshou", "Seikai no Senki"),
    ("Selector Infected WIXOSS", "Selector Spread WIXOSS"),
    ("Grisaia no Kajitsu", "Grisaia no Rakuen"),
    ("D.C.: Da Capo", "D.C.II: Da Capo II"),
    ("Bakemonogatari", "Nisemonogatari"),
    ("Bakemonogatari", "Monogatari Series: Second Season"),
    ("Free!", "High☆Speed!: Free! Starting Days"),
    ("Tamako Market", "Tamako Love Story"),
    ("R.O.D OVA", "R.O.D the TV"),
    ("Tenkuu no Escaflowne", "Escaflowne"),
    ("Ansatsu Kyoushitsu (TV)", "Koro-sensei Q!"),
    ("Death Billiards", "Death Parade"),
    ("Koihime†Musou", "Shin Koihime†Musou"),
    ("Macross", "Macross F"),
    ("Macross", "Macross Δ"),
    ("One Piece", "One Piece Film: Z"),
    ("Ojamajo Doremi", "Ojamajo Doremi Na-i-sho"),
    ("Futari wa Precure", "Yes! Precure 5"),
    ("Re:Zero kara Hajimeru Isekai Seikatsu", "Re:Zero kara Hajimeru Break Time"),
    ("Gantz", "Gantz:O"),
    ("Akame ga Kill!", "Akame ga Kill! Theater"),
    ("Captain Harlock", "Uchuu Kaizoku Captain Harlock"),
    ("Death Note", "Death Note Rewrite"),
    ("Shingeki no Kyojin", "Shingeki! Kyojin Chuugakkou"),
    ("Queen's Blade: Rebellion", "Queen's Blade Rebellion vs. Hagure Yuusha no Aesthetica"),
    ("Macross", "Macross Plus"),
    ("Macross", "Macross F: Choujikuu Gekijou"),
    ("Full Metal Panic!", "Full Metal Panic? Fumoffu"),
]
"""Titles of two franchises and one saga: most likely one story, under another name."""

TOGETHER = [*SAME_NAME, *OTHER_NAMES]

APART = [
    ("K", "K-On!"),
    ("K", "Kill la Kill"),
    ("Air", "Air Gear"),
    ("Air", "Air Master"),
    ("Monster", "Monster Musume no Iru Nichijou"),
    ("Black Lagoon", "Black Bullet"),
    ("Black Lagoon", "Black Cat"),
    ("Black★Rock Shooter (TV)", "Black Lagoon"),
    ("Dragon Ball", "Dragon Quest: Dai no Daibouken"),
    ("Dragon Ball", "Dragonaut: The Resonance"),
    ("Tokyo Ghoul", "Tokyo Ravens"),
    ("Tokyo Ghoul", "Tokyo Magnitude 8.0"),
    ("Tokyo Ravens", "Tokyo Babylon"),
    ("Kimi ni Todoke", "Kimi to Boku."),
    ("Kimi ga Nozomu Eien", "Kimi no Iru Machi"),
    ("Mononoke", "Mononoke Hime"),
    ("Nana", "Nana to Kaoru"),
    ("Gate: Jieitai Kanochi nite, Kaku Tatakaeri", "Gate Keepers"),
    ("Captain Tsubasa", "Captain Earth"),
    ("Captain Earth", "Captain Harlock"),
    ("Captain Tsubasa", "Captain (TV)"),
    ("Vampire Knight", "Vampire Hunter D"),
    ("Death Note", "Death Parade"),
    ("Soul Eater", "God Eater"),
    ("Kokoro Connect", "Kokoro ga Sakebitagatterunda."),
    ("Kure-nai", "Kurenai no Buta"),
    ("School Days", "School Rumble"),
    ("Ghost in the Shell", "Ghost Hunt"),
    ("No Game No Life", "No.6"),
    ("Toaru Majutsu no Index", "Toaru Hikuushi e no Koiuta"),
    ("Bakemonogatari", "Ore Monogatari!!"),
    ("Bakemonogatari", "Nisekoimonogatari"),
    ("Strike Witches", "Strike the Blood"),
    ("Kyoukai no Kanata", "Kyoukai no Rinne (TV)"),
    ("Seitokai no Ichizon", "Seitokai Yakuindomo"),
    ("Nichijou", "Danshi Koukousei no Nichijou"),
    ("Kara no Kyoukai 1: Fukan Fuukei", "Kyoukai no Kanata"),
    ("Bokurano", "Bokura wa Minna Kawaisou"),
    ("Chuunibyou demo Koi ga Shitai!", "Koi to Senkyo to Chocolate"),
    (
        "Yahari Ore no Seishun Love Comedy wa Machigatteiru.",
        "Ore no Nounai Sentakushi ga, Gakuen Love Comedy wo Zenryoku de Jama Shiteiru",
    ),
    ("Ore no Imouto ga Konnani Kawaii Wake ga Nai", "Ore no Kanojo to Osananajimi ga Shuraba Sugiru"),
    ("Love Hina", "Love Live! School Idol Project"),
    ("Love Hina", "Lovely★Complex"),
    ("Area 88 (TV)", "Area no Kishi"),
    ("11eyes", "12-sai."),
    ("Detective Conan", "Lupin III"),
    ("Canaan", "Canvas 2: Niji-iro no Sketch"),
    ("Another", "Angel Beats!"),
    ("Toki wo Kakeru Shoujo", "Sora wo Kakeru Shoujo"),
    ("Samurai Champloo", "Samurai 7"),
    ("Gunslinger Girl", "Gunslinger Stratos: The Animation"),
    ("Plastic Memories", "Memories"),
    ("Hana yori Dango", "Hanasaku Iroha"),
    ("Himegoto", "Hi.Me.Go.To"),
    ("Colorful", "Colorful (Movie)"),
    ("Danganronpa: Kibou no Gakuen to Zetsubou no Koukousei The Animation", "Gakuen Alice"),
    ("Little Busters!", "Little Witch Academia (TV)"),
    ("Star Driver: Kagayaki no Takuto", "Star Ocean EX"),
    ("IS: Infinite Stratos", "I''s"),
    ("Mahou Sensei Negima!", "Mahou Shoujo Madoka★Magica"),
    ("Sora no Otoshimono", "Sora no Method"),
    ("Zettai Karen Children", "Zettai Bouei Leviathan"),
    ("Darker than Black: Kuro no Keiyakusha", "Black Cat"),
    ("Tales of Zestiria the X", "Tales of Symphonia The Animation: Sylvarant-hen"),
    ("Full Metal Panic!", "Fullmetal Alchemist"),
    ("Aria The Animation", "Hidan no Aria"),
    ("Summer Wars", "Air in Summer"),
    ("Amnesia", "Tasogare Otome x Amnesia"),
    ("Shounen Maid", "Shounen Maid Kuuro-kun: Tenshi no Uta"),
    ("Seirei Tsukai", "Seirei Tsukai no Blade Dance"),
    ("Queen's Blade: Rebellion", "Hagure Yuusha no Aesthetica"),
    ("Uchuu Senkan Yamato", "Uchuu Kaizoku Captain Harlock"),
    ("Uchuu Senkan Yamato", "Uchuu Kyoudai"),
    ("Go! Go! Ackman", "Go! Go! 575"),
    ("Detective Conan", "Lupin III vs. Detective Conan"),
]
"""Titles of two sagas, which look as if they were of one."""

ORDERS = [
    ["Sword Art Online", "Sword Art Online II"],
    ["Gintama", "Gintama'", "Gintama': Enchousen", "Gintama°"],
    ["Fullmetal Alchemist", "Fullmetal Alchemist: The Conqueror of Shamballa", "Fullmetal Alchemist: Brotherhood"],
    ["Hunter x Hunter", "Hunter x Hunter: Greed Island", "Hunter x Hunter (2011)"],
    ["Naruto", "Naruto: Shippuuden"],
    ["Fate/stay night", "Fate/Zero", "Fate/Zero 2nd Season"],
    ["Natsume Yuujinchou", "Zoku Natsume Yuujinchou", "Natsume Yuujinchou San"],
    ["To LOVE-Ru", "Motto To LOVE-Ru", "To LOVE-Ru Darkness"],
    ["Psycho-Pass", "Psycho-Pass 2", "Psycho-Pass Movie"],
    ["Black Lagoon", "Black Lagoon: The Second Barrage", "Black Lagoon: Roberta's Blood Trail"],
    ["K", "K: Missing Kings", "K: Return of Kings"],
    ["Suzumiya Haruhi no Yuuutsu", "Suzumiya Haruhi no Yuuutsu (2009)", "Suzumiya Haruhi no Shoushitsu"],
    ["Neon Genesis Evangelion", "Evangelion: 1.0 You Are (Not) Alone"],
    [
        "Code Geass: Hangyaku no Lelouch",
        "Code Geass: Hangyaku no Lelouch R2",
        "Code Geass: Boukoku no Akito 1 - Yokuryuu wa Maiorita",
    ],
    [
        "Kara no Kyoukai 1: Fukan Fuukei",
        "Kara no Kyoukai 2: Satsujin Kousatsu (Zen)",
        "Kara no Kyoukai 3: Tsuukaku Zanryuu",
    ],
    ["Towa no Quon 1: Utakata no Kaben", "Towa no Quon 2: Konton no Ranbu"],
    # A film is the entry where it came first, and the series has a name of its own.
    ["Ghost in the Shell", "Ghost in the Shell: Stand Alone Complex", "Ghost in the Shell 2: Innocence"],
    ["JoJo no Kimyou na Bouken (TV)", "JoJo no Kimyou na Bouken: Stardust Crusaders", "JoJo no Kimyou na Bouken"],
    ["Little Witch Academia (TV)", "Little Witch Academia"],
    ["Death Parade", "Death Billiards"],
    # Nobody knows the year of what is only announced.
    ["One Punch Man", "One Punch Man 2"],
    ["FLCL", "FLCL (TV)"],
    # Films that are counted off retell the series.
    [
        "Haikyuu!!",
        "Haikyuu!! Second Season",
        "Haikyuu!!: Karasuno Koukou VS Shiratorizawa Gakuen Koukou",
        "Haikyuu!! Movie 1: Owari to Hajimari",
    ],
    ["Clannad", "Clannad: After Story", "Clannad Movie"],
    [
        "Bakemonogatari",
        "Nisemonogatari",
        "Monogatari Series: Second Season",
        "Kizumonogatari I: Tekketsu-hen",
        "Kizumonogatari II: Nekketsu-hen",
    ],
    [
        "Mahou Shoujo Madoka★Magica",
        "Mahou Shoujo Madoka★Magica Movie 1: Hajimari no Monogatari",
        "Mahou Shoujo Madoka★Magica Movie 3: Hangyaku no Monogatari",
    ],
    ["Shingeki no Kyojin", "Shingeki no Kyojin Season 2"],
    ["Toradora!"],
    ["Mirai Nikki (TV)"],
    ["Black★Rock Shooter (TV)"],
    ["Death Note"],
]
"""Main entries in watching order, all of them that the table of titles has."""

EXTRAS = [
    ("Toradora!: SOS!", "Toradora!"),
    ("Naruto Movie 1: Dai Katsugeki!! Yuki Hime Shinobu Houjou Dattebayo!", "Naruto"),
    ("Boruto: Naruto the Movie", "Naruto"),
    ("Death Note Rewrite", "Death Note"),
    ("Shingeki! Kyojin Chuugakkou", "Shingeki no Kyojin"),
    ("Clannad: Mou Hitotsu no Sekai, Tomoyo-hen", "Clannad"),
    ("Code Geass: Hangyaku no Lelouch R2 Special Edition Zero Requiem", "Code Geass: Hangyaku no Lelouch"),
    ("11eyes Picture Drama", "11eyes"),
    ("Mirai Nikki", "Mirai Nikki (TV)"),
    ("Amnesia OVA", "Amnesia"),
    ("Lupin III vs. Detective Conan", "Lupin III"),
    ("One Piece Movie 1", "One Piece"),
    ("One Piece Movie 2: Nejimaki-jima no Daibouken", "One Piece"),
    ("One Piece Movie 3: Chinjuu-jima no Chopper Oukoku", "One Piece"),
    ("One Piece Movie 4: Dead End no Bouken", "One Piece"),
    ("Kanokon Specials", "Kanokon"),
]
"""What is no main entry, and where its saga begins."""


def words(text: str, separator: str = "|") -> tuple[str, ...]:
    return tuple(filter(None, text.split(separator)))


def read() -> list[Anime]:
    with TITLES.open(newline="") as file:
        return [
            Anime(
                anime_id=int(row["anime_id"]),
                title=row["title"],
                title_english=row["title_english"] or None,
                synonyms=words(row["synonyms"]),
                type=row["type"] or None,
                episodes=int(row["episodes"]) if row["episodes"] else None,
                genres=words(row["genres"]),
                year=int(row["year"]) if row["year"] else None,
                season=row["season"] or None,
                studios=words(row["studios"]),
                adult=bool(row["adult"]),
            )
            for row in csv.DictReader(file)
        ]


REAL = read()
IDS = {anime.title: anime.anime_id for anime in REAL}
FOUND = with_franchises(Catalogue(REAL))


def members(catalogue: Catalogue) -> set[frozenset[int]]:
    """The sagas of several anime."""
    found = defaultdict(set)
    for anime_id in catalogue:
        found[catalogue.saga_of(anime_id)].add(anime_id)
    return {frozenset(group) for group in found.values() if len(group) > 1}


def closure(groups: Iterable[Iterable[int]]) -> set[frozenset[int]]:
    """Groups that have something in common, made one."""
    found: list[set[int]] = []
    for group in map(set, groups):
        touching = [one for one in found if one & group]
        found = [one for one in found if not one & group]
        found.append(group.union(*touching))
    return {frozenset(group) for group in found if len(group) > 1}


# Real titles


@pytest.mark.parametrize(("one", "other"), SAME_NAME)
def test_titles_of_one_name_are_one_franchise(one: str, other: str) -> None:
    assert FOUND.franchise_of(IDS[one]) == FOUND.franchise_of(IDS[other])


@pytest.mark.parametrize(("one", "other"), OTHER_NAMES)
def test_titles_of_another_name_are_another_franchise(one: str, other: str) -> None:
    assert FOUND.franchise_of(IDS[one]) != FOUND.franchise_of(IDS[other])


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_titles_that_are_most_likely_one_story_are_one_saga(one: str, other: str) -> None:
    assert FOUND.saga_of(IDS[one]) == FOUND.saga_of(IDS[other])


@pytest.mark.parametrize(("one", "other"), APART)
def test_titles_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    assert FOUND.franchise_of(IDS[one]) != FOUND.franchise_of(IDS[other])
    assert FOUND.saga_of(IDS[one]) != FOUND.saga_of(IDS[other])


def test_nothing_else_is_together() -> None:
    expected = closure([IDS[title] for title in group] for group in [*TOGETHER, *ORDERS, *EXTRAS])
    assert members(FOUND) == expected


@pytest.mark.parametrize("titles", ORDERS, ids=lambda titles: titles[0])
def test_main_entries_follow_each_other_and_the_first_is_the_entry(titles: list[str]) -> None:
    saga = FOUND.saga_of(IDS[titles[-1]])
    main = FOUND.sagas.get(saga, (saga,))
    assert [FOUND[anime_id].title for anime_id in main] == titles
    assert saga == IDS[titles[0]]


def test_a_franchise_begins_where_its_saga_comes_to_it() -> None:
    railgun = FOUND[IDS["Toaru Kagaku no Railgun"]]
    assert FOUND.franchise_of(railgun.anime_id) == railgun.anime_id
    assert railgun.saga == IDS["Toaru Majutsu no Index"]
    gintama = FOUND.franchises[IDS["Gintama"]]
    assert [FOUND[anime_id].title for anime_id in gintama] == ["Gintama", "Gintama'", "Gintama': Enchousen", "Gintama°"]
    assert set(FOUND.franchises[IDS["Gintama"]]) <= set(FOUND.sagas[IDS["Gintama"]])


@pytest.mark.parametrize(("title", "entry"), EXTRAS)
def test_extras_belong_to_a_saga_and_are_no_part_of_it(title: str, entry: str) -> None:
    extra = FOUND[IDS[title]]
    assert extra.saga == IDS[entry]
    assert extra.part is None


def test_one_that_stands_alone_takes_no_room() -> None:
    alone = FOUND[IDS["Black Bullet"]]
    assert (alone.franchise, alone.saga, alone.part) == (None, None, None)
    assert FOUND.franchise_of(alone.anime_id) == FOUND.saga_of(alone.anime_id) == alone.anime_id


@pytest.mark.parametrize(("one", "other"), [("Himegoto", "Hi.Me.Go.To"), ("Mirai Nikki (TV)", "Mirai Nikki")])
def test_what_is_for_adults_only_is_tied_by_title_to_nothing_else(one: str, other: str) -> None:
    known = {anime.title: anime for anime in REAL}
    for adult in (False, True):
        pair = [msgspec.structs.replace(known[one], adult=False), msgspec.structs.replace(known[other], adult=adult)]
        alike = [msgspec.structs.replace(anime, genres=("Drama", "Sports")) for anime in pair]
        assert len(members(with_franchises(Catalogue(alike)))) == (not adult)


def test_that_both_are_for_adults_says_nothing() -> None:
    facts = {"genres": ("Hentai",), "type": "OVA", "adult": True}
    titles = ["Houkago 2 The Animation", "Houkago Nyannyan", "Houkago Initiation"]
    anime = [Anime(anime_id=at, title=title, **facts) for at, title in enumerate(titles, start=1)]  # type: ignore[arg-type]
    assert not members(with_franchises(Catalogue(anime)))


def test_a_japanese_title_tells_too() -> None:
    facts = {"genres": ("Action", "Mecha"), "type": "TV"}
    one = Anime(anime_id=1, title="Kidou Senshi", title_japanese="機動戦士ガンダム", **facts)  # type: ignore[arg-type]
    for second in (
        "機動戦士ガンダム 第2期",
        "機動戦士ガンダムⅡ",
        "劇場版 機動戦士ガンダム",
        "機動戦士ガンダムＳＥＥＤ",
    ):
        other = Anime(anime_id=2, title="Orphans", title_japanese=second, **facts)  # type: ignore[arg-type]
        assert members(with_franchises(Catalogue([one, other]))) == {frozenset((1, 2))}


def test_where_no_year_is_known_numbers_tell_the_order() -> None:
    titles = ["Initial D Fourth Stage", "Initial D First Stage", "Psycho-Pass 2", "Psycho-Pass"]
    nothing_known = [Anime(anime_id=at, title=title, type="TV") for at, title in enumerate(titles, start=1)]
    assert with_franchises(Catalogue(nothing_known)).sagas == {2: (2, 1), 4: (4, 3)}


def test_three_ova_are_parts_where_there_is_no_series() -> None:
    ova = [Anime(anime_id=9 - n, title=f"Gall Force {n} OVA", type="OVA", year=1980 + n) for n in (1, 2, 3)]
    special = Anime(anime_id=1, title="Gall Force Special", type="Special", year=1979)
    assert with_franchises(Catalogue([*ova, special])).sagas == {8: (8, 7, 6)}


# Relations


def chain(*titles: str, kind: str = "Sequel") -> list[Relation]:
    return [Relation(IDS[one], kind, IDS[other]) for one, other in pairwise(titles)]


KINDS = ["Sequel", "Prequel", "Side story", "SIDE_STORY", "Parent story", "Summary", "Full story", "Spin-off"]
KINDS += ["SPIN_OFF", "Alternative version", "Alternative setting", "ALTERNATIVE"]


@pytest.mark.parametrize("kind", KINDS)
def test_relations_join_what_titles_do_not(kind: str) -> None:
    found = with_franchises(Catalogue(REAL), chain("Summer Wars", "Toki wo Kakeru Shoujo", kind=kind))
    assert found.franchise_of(IDS["Summer Wars"]) == IDS["Toki wo Kakeru Shoujo"]


@pytest.mark.parametrize("kind", ["Character", "Other", "Adaptation", "Music", ""])
def test_relations_that_leave_the_story_part_what_titles_would_join(kind: str) -> None:
    relations = [
        *chain("Clannad", "Clannad: After Story", kind=kind),
        *chain("Clannad: After Story", "K-On!", kind=kind),
    ]
    found = with_franchises(Catalogue(REAL), relations)
    assert found.franchise_of(IDS["Clannad"]) != found.franchise_of(IDS["Clannad: After Story"])
    assert found.franchise_of(IDS["K-On!"]) != found.franchise_of(IDS["Clannad: After Story"])
    assert found.franchise_of(IDS["Clannad Movie"]) == found.franchise_of(IDS["Clannad"])  # of which nothing is known


def test_relations_may_lead_through_anime_that_the_catalogue_lacks() -> None:
    relations = [Relation(IDS["Monster"], "Sequel", 999_999), Relation(999_999, "Sequel", IDS["Memories"])]
    found = with_franchises(Catalogue(REAL), relations)
    assert found.franchise_of(IDS["Monster"]) == found.franchise_of(IDS["Memories"])


# What holds for any catalogue


def real(place: int) -> Anime:
    return REAL[place]


# Drawn by place: Hypothesis would else write all of them down wherever it names the strategy.
some = st.lists(st.integers(0, len(REAL) - 1).map(real), unique_by=lambda anime: anime.anime_id, max_size=40)
made_up = st.lists(
    st.builds(
        Anime,
        anime_id=st.integers(1, 60),
        title=st.one_of(
            st.text(max_size=12),
            st.lists(st.sampled_from([*"AB:!-2", "II", "OVA", "Movie", "no", "vs"]), min_size=1, max_size=5).map(
                " ".join
            ),
        ),
        type=st.sampled_from(["TV", "Movie", "OVA", "Special", "Music", None]),
        year=st.one_of(st.none(), st.integers(1990, 1994)),
        episodes=st.one_of(st.none(), st.integers(0, 120)),
        genres=st.sampled_from([(), ("Drama", "Sports"), ("Drama", "Magic")]),
        studios=st.sampled_from([(), ("one",), ("one", "two")]),
        adult=st.booleans(),
    ),
    unique_by=lambda anime: anime.anime_id,
    max_size=12,
)
anime_lists = st.one_of(some, made_up)


def relations_among(anime: list[Anime]) -> st.SearchStrategy[list[Relation]]:
    ids = st.sampled_from([one.anime_id for one in anime] or [1])
    kinds = st.sampled_from(["Sequel", "Side story", "Other", "Character"])
    return st.lists(st.builds(Relation, ids, kinds, ids), max_size=8)


cases = anime_lists.flatmap(lambda anime: st.tuples(st.just(anime), relations_among(anime), st.randoms()))


@given(cases)
def test_each_anime_is_in_one_saga_whose_parts_have_no_gap(
    case: tuple[list[Anime], list[Relation], object],
) -> None:
    anime, relations, _ = case
    found = with_franchises(Catalogue(anime), relations)
    assert sorted(found) == sorted(one.anime_id for one in anime)
    sagas = defaultdict(list)
    for one in found.values():
        sagas[found.saga_of(one.anime_id)].append(one)
    for entry, group in sagas.items():
        if len(group) == 1:
            assert (group[0].franchise, group[0].saga, group[0].part) == (None, None, None)
            continue
        assert {one.saga for one in group} == {entry}
        parts = {one.part: one.anime_id for one in group if one.part is not None}
        assert parts[1] == entry
        assert sorted(parts) == list(range(1, len(parts) + 1))
        assert len(parts) == sum(one.part is not None for one in group)
        assert found.sagas[entry] == tuple(parts[part] for part in sorted(parts))


@given(cases)
def test_a_franchise_lies_within_one_saga_and_begins_with_its_first_part(
    case: tuple[list[Anime], list[Relation], object],
) -> None:
    anime, relations, _ = case
    found = with_franchises(Catalogue(anime), relations)
    franchises = defaultdict(list)
    for one in found.values():
        franchises[found.franchise_of(one.anime_id)].append(one)
    for entry, group in franchises.items():
        assert len({found.saga_of(one.anime_id) for one in group}) == 1
        assert entry in {one.anime_id for one in group}
        parts = {one.part: one.anime_id for one in group if one.part is not None}
        assert not parts or entry == parts[min(parts)]
        assert len(group) > 1 or group[0].franchise is None


@given(cases)
def test_neither_order_nor_what_was_found_before_matters(case: tuple[list[Anime], list[Relation], Random]) -> None:
    anime, relations, random = case
    found = with_franchises(Catalogue(anime), relations)
    random.shuffle(anime)
    random.shuffle(relations)
    assert list(with_franchises(Catalogue(anime), relations).values()) == list(found.values())
    assert list(with_franchises(found, relations).values()) == list(found.values())


@given(cases)
def test_relations_go_before_titles(case: tuple[list[Anime], list[Relation], object]) -> None:
    anime, relations, _ = case
    found = with_franchises(Catalogue(anime), relations)
    known = {relation.anime_id for relation in relations}
    story = [relation for relation in relations if relation.kind in {"Sequel", "Side story"}]
    related = closure([*({relation.anime_id, relation.related_id} for relation in story)])
    for one in known:
        for other in known - {one}:
            together = found.franchise_of(one) == found.franchise_of(other)
            assert together == any({one, other} <= group for group in related)


# The catalogue


def test_the_catalogue_keeps_franchises_and_opens_without(tmp_path: Path) -> None:
    FOUND.write(tmp_path / "new")
    again = Catalogue.read(tmp_path / "new")
    assert list(again.values()) == list(FOUND.values())
    assert (again.franchises, again.sagas) == (FOUND.franchises, FOUND.sagas)
    Catalogue(REAL).write(tmp_path / "old")
    old = Catalogue.read(tmp_path / "old")
    assert old.franchises == {}
    assert old.franchise_of(IDS["Clannad Movie"]) == IDS["Clannad Movie"]
    assert old.franchise_of(5) == 5


def test_a_franchise_that_is_in_no_saga_is_its_own() -> None:
    told = Catalogue([Anime(anime_id=1, title="One", franchise=1, part=1), Anime(anime_id=2, title="Two", franchise=1)])
    assert (told.saga_of(1), told.saga_of(2), told.saga_of(3)) == (1, 1, 3)
