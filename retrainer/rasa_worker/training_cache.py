"""What killed trainings left of Rasa's cache.

Rasa moves a result into the cache's folder, then writes it into the cache's database. A training
that is killed in between leaves a folder that Rasa never uses and never deletes for itself.
"""

import os
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

#: Seconds: copying a result from another disk takes less, so that none is deleted in the making.
_LEFT_AFTER = 24 * 3600.0
#: Megabytes that the cache may hold; 0: it is neither read nor written.
_SIZE = "RASA_MAX_CACHE_SIZE"


def sweep(now=None):
    """Delete the results that the database of the cache does not know, if they are a day old."""
    cache = Path(os.environ.get("RASA_CACHE_DIRECTORY", "."), "")
    database = cache / "cache.db"
    if not database.is_file():
        return
    now = time.time() if now is None else now
    with suppress(OSError, sqlite3.Error):  # a cache that is not usable is Rasa's to complain of
        known = _known(database)
        for folder in cache.iterdir():
            is_old = now - folder.stat().st_mtime > _LEFT_AFTER
            if is_old and folder.is_dir() and folder.name not in known:
                shutil.rmtree(str(folder), ignore_errors=True)


@contextmanager
def disabled():
    """Within, nothing is taken from the cache or put there.

    Rasa's key of a result does not say whether it was finetuned. A finetuned model would get parts
    that were trained from scratch, which do not fit it, and leave its own to later trainings.
    """
    before = os.environ.get(_SIZE)
    os.environ[_SIZE] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SIZE]
        else:
            os.environ[_SIZE] = before


def _known(database):
    """The names of the folders with results."""
    with closing(sqlite3.connect("file:{}?mode=ro".format(database), uri=True)) as connection:
        rows = connection.execute("SELECT result_location FROM cache_entry")
        return {Path(location).name for (location,) in rows if location}
