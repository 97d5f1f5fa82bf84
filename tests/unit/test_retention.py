"""Which models are deleted."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.worlds import Laboratory, mislabelled

from retrainer.domain.cycle import Model
from retrainer.domain.retention import expired
from retrainer.errors import PlatformError
from retrainer.pipeline.retention import KEPT_LOGS
from retrainer.testing.platforms import FakePlatform

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def model(name: str, days_old: int, sha256: str = "ab") -> Model:
    return Model(name, sha256, 1, "3.6.21", NOW - timedelta(days=days_old))


def test_models_of_others_are_theirs_to_delete():
    """What was not uploaded from here neither goes, nor makes ours go sooner."""
    models = [model("old", 400), model("theirs", 500, ""), model("a", 2), model("b", 1)]
    models += [model(f"theirs-{number}", 0, "") for number in range(9)]
    gone = expired(models, serving=("b",), keep=2, age=timedelta(days=90), now=NOW)
    assert [each.name for each in gone] == ["old"]


class Reserved(FakePlatform):
    """A platform on which one model serves elsewhere too."""

    reserved = ""

    def remove(self, name: str) -> None:
        if name == self.reserved:
            raise PlatformError(f"{name} serves elsewhere")
        super().remove(name)


def test_a_model_that_must_stay_keeps_no_other(tmp_path: Path):
    """One model that cannot be deleted is said; the rest of the old ones go all the same."""
    lab = Laboratory(tmp_path)
    lab.platform = platform = Reserved(tmp_path / "platform")
    lab.keep_models = 2
    lab.run()
    names = []
    for last in (20, 21, 22, 23):
        lab.write(mislabelled(last))
        names.append(lab.run().cycle.challenger)
        platform.reserved = names[0]
    assert {model.name for model in platform.models()} == {platform.champion, names[0], *names[2:]}
    assert any(f"{names[0]} serves elsewhere" in warning for warning in lab.listener.warnings)


def test_only_so_many_logs_are_kept(tmp_path: Path):
    """However often cycles run, the newest logs of Rasa stay and the others go."""
    lab = Laboratory(tmp_path)
    logs = tmp_path / "cycles"
    logs.mkdir()
    now = lab.clock.now().timestamp()
    for number in range(KEPT_LOGS + 5):
        log = logs / f"rasa-{number}.log"
        log.write_text("")
        os.utime(log, (now - number, now - number))
    lab.run()
    left = {log.name for log in logs.glob("*.log")}
    assert left == {f"rasa-{number}.log" for number in range(KEPT_LOGS)}
