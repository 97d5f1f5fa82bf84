"""Training data judged before anything is trained on it, and again in the verdict."""

from collections import defaultdict
from collections.abc import Sequence

from retrainer.domain.cycle import Finding, Severity
from retrainer.domain.data_quality import DataQuality, EarlierData, examine
from retrainer.domain.examples import Example, example_key
from retrainer.domain.rules import SoundData
from retrainer.domain.verdict import Outcome, Policy
from retrainer.errors import ProjectError
from retrainer.pipeline import records

_SHOWN = 10


def quality(
    contents: records.Contents,
    findings: Sequence[Finding],
    champion: str | None,
    trained_on: records.Manifest | None,
) -> DataQuality:
    """The snapshot in numbers, beside that of the champion as far as it was recorded."""
    before = None
    if champion is not None and trained_on is not None:
        before = EarlierData(champion, trained_on.examples, trained_on.intents)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    return examine(
        contents.examples,
        declared=contents.domain_intents,
        errors=errors,
        warnings=len(findings) - errors,
        champion=before,
    )


def require_trainable(data: DataQuality, policy: Policy) -> None:
    """Make sure that no blocking rule of the policy rejects the data.

    Raises:
        ProjectError: with the check's sentence and details.
    """
    for named in policy.rules:
        if not named.blocking or not isinstance(named.rule, SoundData):
            continue
        check = named.rule.judge(data)
        if check.outcome is Outcome.REJECT:
            more = len(check.details) - _SHOWN
            shown = [*check.details[:_SHOWN], *([f"… and {more} more"] if more > 0 else [])]
            raise ProjectError(
                "\n".join([f"nothing is trained on this data: {check.sentence}", *shown]),
                tip="mend the data; if it is meant to be so, change the limit of the rule "
                f"{named.name} of policy {policy.name} for one run",
            )


def known_tests(test_data: Sequence[Example], training: Sequence[Example]) -> list[Finding]:
    """An error for each file of test data of which more than half is training data too.

    A smaller part is left out of the test by itself.
    """
    keys = {example_key(example.text) for example in training}
    files: dict[str | None, list[Example]] = defaultdict(list)
    for example in test_data:
        files[example.file].append(example)
    return [
        Finding(
            Severity.ERROR,
            f"{known} of the {len(examples)} utterances of this test data are training data too, "
            "more than half: what a model was trained on is no test of it",
            file,
        )
        for file, examples in files.items()
        if (known := sum(example_key(example.text) in keys for example in examples)) * 2
        > len(examples)
    ]
