"""The app in front of the stand-in, with the stand-in's covers in its catalogue: no page waits for pictures."""

import os

import msgspec
from flask import Flask

import ars_app
from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.config import Settings
from hakken.served_model import open_bundle

APP = "tests.standin.app:create_app()"


def create_app() -> Flask:
    """Compose it by the settings that `tests.standin.__main__.environment` makes."""
    settings = Settings.from_environ(os.environ)
    (origin,) = settings.pictures_from
    given = open_bundle(settings)
    pictured = Catalogue(
        msgspec.structs.replace(one, picture=f"{origin}/pictures/anime/{one.anime_id}.jpg")
        for one in given.catalogue.values()
    )
    bundle = ModelBundle(given.model, pictured)
    bundle.warm()  # as for any that is embedded
    return ars_app.create_app(settings, bundle=bundle)
