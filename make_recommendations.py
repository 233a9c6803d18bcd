"""The use case: from a username or a list to ranked recommendations; also a command line.

python make_recommendations.py USERNAME --source mal -n 10
python make_recommendations.py --file animelist.xml.gz --format json
"""

from datetime import UTC, date, datetime

from hakken.bundle import ModelBundle
from hakken.ratings import Preferences, Recommendations, UserList, Username
from hakken.recommend import recommend
from hakken.sites.list_sources import ListSources


def make_recommendations(
    who: Username | UserList,
    bundle: ModelBundle,
    sources: ListSources,
    preferences: Preferences,
    today: date | None = None,
) -> Recommendations:
    """Recommend to someone, whose list is fetched first when only a username is given.

    Args:
        who: whose list, or the list.
        bundle: model and catalogue.
        sources: fetch a list.
        preferences: what they chose.
        today: titles that start later are marked as announced; by default the current date, UTC.

    Raises:
        SourceError: the list could not be fetched.
    """
    return recommend(sources.fetch(who), bundle, preferences, today or datetime.now(UTC).date())


if __name__ == "__main__":
    from hakken.cli.recommend_once import command  # a web worker, which imports this file too, needs no command line
    from hakken.cli.streams import run

    run(command(make_recommendations))
