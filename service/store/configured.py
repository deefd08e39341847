"""The store that the settings ask for."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from service.settings import ENV_PREFIX, Settings, WrongSetting
from service.store.store import Store, Where

_FILE = "b12-cds.sqlite"


def opened(settings: Settings) -> Store:
    """The store; it does nothing until it is started. Raises `service.settings.WrongSetting`."""
    return Store(Where(address(settings), settings.migrate == "start"), settings.override_quiet_days)


def address(settings: Settings) -> URL:
    """Where the database is: PostgreSQL, or else a file in the data directory. Raises `WrongSetting`."""
    if settings.database_url is None:
        return URL.create("sqlite", database=str(settings.data_dir.absolute() / _FILE))
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError:
        what = Settings.model_fields["database_url"].description
        raise WrongSetting(f"{ENV_PREFIX}DATABASE_URL must be {what}") from None
    return url.set(drivername="postgresql+psycopg")
