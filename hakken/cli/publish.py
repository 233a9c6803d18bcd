"""python -m hakken publish: put a model where servers fetch it from, or take the last one back."""

import click

from hakken.cli.progress import BYTES, shown
from hakken.cli.speaking import plain_errors
from hakken.cli.stopping import stoppable
from hakken.errors import PublishedMeanwhile
from hakken.knowledge import Knowledge
from hakken.model import store
from hakken.model.places import BUCKET_SCHEME, Directory, Place
from hakken.model.publishing import Published, bytes_of, roll_back
from hakken.model.publishing import publish as publish_to


class Meanwhile(click.ClickException):
    """Another publisher was faster: the same command may be tried again."""

    exit_code = 3


@click.command()
@click.argument("places", nargs=-1, metavar="[DIRECTORY] TARGET")
@click.option("--rollback", is_flag=True, help="Make the version before the current one the current one again.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def publish(places: tuple[str, ...], rollback: bool, quiet: bool) -> None:
    """Publish the model in DIRECTORY to TARGET: gs://bucket/prefix, a directory, or its file:// address.

    Its files are uploaded below versions/, where nothing is ever overwritten, and then current.json is moved to it:
    servers that look there serve it from then on. A run that was interrupted goes on when it is started again. With
    --rollback, only TARGET is given. Exit status: 0 done, 1 failed, 2 wrong usage, 3 another publisher was faster.
    """
    if len(places) != (1 if rollback else 2):
        raise click.UsageError("Give a TARGET alone with --rollback, else a DIRECTORY and a TARGET.")
    with stoppable(lambda: "Stopped; servers go on with the version that was current.") as stop, plain_errors():
        try:
            target = _place(places[-1])
            if rollback:
                before, now = roll_back(target)
                sentence = f"{now} is the current version at {target} again, and {before} is not."
            else:
                with shown(stop, quiet=quiet) as progress:
                    with progress.stage("checking the model"):
                        artefact = store.open_artefact(places[0])
                        Knowledge.read(artefact)
                    with progress.stage("uploading", bytes_of(artefact), BYTES) as advance:
                        sentence = _sentence(publish_to(artefact, target, advance), target)
        except PublishedMeanwhile as error:
            raise Meanwhile(f"{error} Look what is current there before you try again.") from error
    if not quiet:
        click.echo(sentence)


def _place(target: str) -> Place:
    if not target.startswith(BUCKET_SCHEME):
        return Directory.at(target)
    # Google's client takes half a second to load, which the other commands should not wait for.
    from create_gcs_local_file import Bucket  # noqa: PLC0415  # as said

    return Bucket(target)


def _sentence(done: Published, target: Place) -> str:
    if not done.moved:
        return f"{done.version} was the current version at {target} already."
    return f"{done.version} is the current version at {target}; {done.uploaded} files were uploaded."
