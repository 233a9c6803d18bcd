"""python -m hakken publish: publish a model for servers, or roll back to the version before."""

import click

from hakken.cli.options import quiet_option
from hakken.cli.plain_errors import plain_errors
from hakken.cli.progress_bars import BYTES, show_progress
from hakken.cli.signals import stop_on_signal
from hakken.errors import ArtefactCorrupt, ArtefactTooNew, LessThanServed, PublishedMeanwhile
from hakken.model import manifest as manifests
from hakken.model import store
from hakken.model.store import VersionRef
from hakken.registry import publish as publishing
from hakken.registry.storage import ObjectStore, open_store
from hakken.registry.trial import try_version


class PublishConflict(click.ClickException):
    """Another publisher was faster: the command may be tried again."""

    exit_code = 3


class FallsBehind(click.ClickException):
    """The model falls behind the one that is served: it needs `--force`."""

    exit_code = 4


@click.command()
@click.argument("arguments", nargs=-1, metavar="[DIRECTORY] TARGET")
@click.option("--rollback", is_flag=True, help="Make the version before the current one current again.")
@click.option("--force", is_flag=True, help="Publish even a model that falls behind the one that is served.")
@quiet_option
def publish(arguments: tuple[str, ...], rollback: bool, force: bool, quiet: bool) -> None:
    """Publish the model in DIRECTORY to TARGET: gs://bucket/prefix, a directory, or its file:// address.

    The model is compared with the one that is served. If it has fewer people, titles or entries by more than a fifth,
    or if its data time is older, or unknown where it was known, nothing is uploaded without --force.

    Its files are uploaded below versions/, where nothing is ever overwritten. Then current.json is changed to name it,
    and servers that watch TARGET serve it from then on. An interrupted run continues when it is started again. With
    --rollback, only TARGET is given.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 another publisher was faster, 4 the model falls behind.
    """
    if len(arguments) != (1 if rollback else 2) or (rollback and force):
        raise click.UsageError("Give only a TARGET with --rollback, otherwise a DIRECTORY and a TARGET.")
    with stop_on_signal(lambda: "Stopped; servers continue with the version that was current.") as stop, plain_errors():
        try:
            target = open_store(arguments[-1])
            if rollback:
                before, now = publishing.roll_back(target)
                sentence = f"{now} is the current version at {target} again, and {before} is not."
            else:
                with show_progress(stop, quiet=quiet) as progress, progress.stage("checking the model"):
                    artefact = store.open_artefact(arguments[0])
                    try_version(artefact)
                state = publishing.read_state(target)
                if (current := state[1]) is not None:
                    _compare(artefact, target, current, force, quiet)
                size = sum(publishing.file_sizes(artefact).values())
                with show_progress(stop, quiet=quiet) as progress, progress.stage("uploading", size, BYTES) as advance:
                    done = publishing.publish(artefact, target, advance, state)
                sentence = f"{done.version} is the current version at {target}; {done.uploaded} files were uploaded."
                if not done.moved:
                    sentence = f"{done.version} was the current version at {target} already."
                made_from = artefact.manifest.made_from
                if not (made_from and made_from.held_out):
                    sentence += (
                        " It was also trained on the people that `refresh` judges models by; see `train --hold-out`."
                    )
        except PublishedMeanwhile as error:
            raise PublishConflict(f"{error} Check which version is current there before you try again.") from error
    if not quiet:
        click.echo(sentence)


def _compare(artefact: store.Artefact, target: ObjectStore, current: VersionRef, force: bool, quiet: bool) -> None:
    """Show what the model has beside the one that is served, and refuse what falls behind it."""
    try:
        served, new = manifests.decode(publishing.manifest_of(target, current)), artefact.manifest
        if not quiet:
            before, after = publishing.compared(served), publishing.compared(new)
            for name in after:
                click.echo(f"{name:<12}{before[name]} → {after[name]}")
        publishing.check_no_regression(served, new)
    except ArtefactCorrupt as error:  # no server of today can open it, so that any model is better
        if not quiet:
            click.echo(f"The current version there can't be compared: {error}")
    except (ArtefactTooNew, LessThanServed) as error:  # what is too new may have more than this version can read
        if not force:
            told = f"The served version can't be compared: {error}" if isinstance(error, ArtefactTooNew) else error
            raise FallsBehind(f"{told} Nothing was uploaded; --force publishes it anyway.") from error
