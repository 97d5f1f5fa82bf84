"""What one step leaves for a later one."""

import math

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.domain.predictions import Prediction
from retrainer.pipeline import records

ODD = Prediction("hi", "greet", math.nan, "greet", math.inf)


def test_an_odd_confidence_is_read_as_it_was(tmp_path):
    """Or the model would be asked again each night, and the trainings of a fold repeated."""
    artifacts = FolderArtifacts(tmp_path)
    records.write_predictions(artifacts, "model", {"hi": ODD})
    records.write_trial(artifacts, "model", "digest", records.Trial((), (ODD,)))
    (in_trial,) = records.read_trial(artifacts, "model", "digest").predictions
    for read in (records.read_predictions(artifacts, "model")["hi"], in_trial):
        assert math.isnan(read.confidence)
        assert read.served_confidence == math.inf
        assert (read.text, read.intent) == ("hi", "greet")
