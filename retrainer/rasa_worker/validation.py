"""What `rasa data validate` finds, as data."""

import logging
import re
import warnings
from contextlib import contextmanager

from . import examples, networks

ERROR, WARNING = "error", "warning"


def findings(project):
    """Run Rasa's validator; an error stands wherever `rasa data validate` would fail."""
    networks.configure()
    from rasa.validator import Validator

    with _caught() as said:
        importer = project.importer()
        validator = Validator.from_importer(importer)
        validator.warn_if_config_mandatory_keys_are_not_set()
    found = [_finding(WARNING, sentence) for sentence in said]
    if importer.get_domain().is_empty():
        return [*found, _finding(ERROR, "Encountered empty domain during validation.")]
    for check in _checks(validator):
        with _caught() as said:
            passed = check()
        if not passed and not said:
            said.append("{} failed".format(check.__name__.replace("_", " ")))
        found += [_finding(WARNING if passed else ERROR, sentence) for sentence in said]
    for finding in found:  # where the snapshot lies says nothing to people
        finding["message"] = finding["message"].replace("{}/".format(project.root), "")
    _locate(found, project)
    distinct = {(f["severity"], f["message"]): f for f in found}
    return sorted(distinct.values(), key=lambda finding: finding["severity"] != ERROR)


def _checks(validator):
    """The checks of `rasa data validate`, those that its other checks call left out."""
    return (
        validator.verify_domain_validity,
        validator.verify_actions_in_stories_rules,
        validator.verify_forms_in_stories_rules,
        validator.verify_form_slots,
        validator.verify_slot_mappings,
        validator.verify_nlu,
        validator.verify_story_structure,
    )


@contextmanager
def _caught():
    """Collect what Rasa warns of, by either of its two ways."""
    said = []
    handler = _Collector(said)
    logger = logging.getLogger("rasa")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
    finally:
        logger.removeHandler(handler)
    said += [_sentence(warning.message) for warning in caught if _is_ours(warning)]


class _Collector(logging.Handler):
    def __init__(self, said):
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record):
        self._said.append(_sentence(record.getMessage()))


def _is_ours(warning):
    """Whether it is Rasa's word on the project, and not a library's on its own future."""
    from rasa.utils.common import EXPECTED_WARNINGS

    if issubclass(warning.category, (DeprecationWarning, PendingDeprecationWarning)):
        return False
    expected = any(
        issubclass(warning.category, kind)
        and re.match(".*" + pattern, str(warning.message), re.DOTALL)
        for kind, pattern in EXPECTED_WARNINGS
    )
    return "/rasa/" in warning.filename.replace("\\", "/") and not expected


def _sentence(message):
    return " ".join(str(message).split())


def _finding(severity, message):
    return {"severity": severity, "message": message, "file": None, "line": None}


_ABOUT = (
    re.compile("The example '(?P<text>.*)' was found labeled"),
    re.compile("labeled with intent '(?P<intent>[^']*)'"),
)


def _locate(found, project):
    """Add file and line of the first example that a finding speaks of."""
    known = None
    for finding in found:
        match = next(filter(None, (about.search(finding["message"]) for about in _ABOUT)), None)
        if match is None:
            continue
        if known is None:
            known = [example for example, _ in examples.read(project.data, project.relative)]
        for example in known:
            if all(example[name] == value for name, value in match.groupdict().items()):
                finding.update(file=example["file"], line=example["line"])
                break
