"""A project on disk, through Rasa's eyes."""

from pathlib import Path

from .encoding import require_utf8
from .faults import blamed, project_fault


class Project:
    """Paths of a project; all absolute."""

    def __init__(self, root, config, domain, data):
        self.root = root
        self.config = config
        self.domain = domain
        self.data = data

    @classmethod
    def of(cls, fields):
        """From the JSON of a request."""
        return cls(
            Path(fields["root"]),
            Path(fields["config"]),
            [Path(path) for path in fields["domain"]],
            [Path(path) for path in fields["data"]],
        )

    def as_json(self):
        """As `of` reads it."""
        return {
            "root": str(self.root),
            "config": str(self.config),
            "domain": [str(path) for path in self.domain],
            "data": [str(path) for path in self.data],
        }

    def relative(self, path):
        """The path below the root, for people; as it is if it lies elsewhere."""
        try:
            return str(Path(path).relative_to(self.root))
        except ValueError:
            return str(path)

    def domain_argument(self):
        """The domain as Rasa's functions take it."""
        paths = [str(path) for path in self.domain]
        return paths[0] if len(paths) == 1 else paths

    def importer(self, *, nlu=True):
        """Rasa's reader of the whole project; or, without `nlu`, of all but files of NLU alone."""
        from rasa.shared import data
        from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
        from rasa.shared.importers.importer import TrainingDataImporter

        require_utf8([self.config, *self.domain, *self.data], self.relative)
        self.require_own_files()
        self.require_domain()
        paths = [str(path) for path in self.data]
        if not nlu:
            paths = data.get_data_files(paths, YAMLStoryReader.is_stories_file)
        return TrainingDataImporter.load_from_config(
            str(self.config), self.domain_argument(), paths
        )

    def require_own_files(self):
        """Refuse a config with importers of its own.

        They may bring examples that we could not keep out of the training, and the measurement
        would not be honest.
        """
        from rasa.shared.utils.io import read_config_file

        with blamed(self.config):
            config = read_config_file(str(self.config))
        names = [entry.get("name") for entry in config.get("importers") or []]
        if names not in ([], ["RasaFileImporter"]):
            raise project_fault(
                "importers {} are not supported, only Rasa's own files".format(
                    ", ".join(map(str, names))
                ),
                self.relative(self.config),
                tip="merge the projects into one before retrainer reads them",
            )

    def require_domain(self):
        """Rasa itself goes on with an empty domain where the files are not usable."""
        from rasa.shared.core.domain import Domain, InvalidDomain

        for path in self.domain:
            try:
                Domain.load(str(path))
            except InvalidDomain as error:
                raise project_fault(str(error), self.relative(path)) from error

    def contents(self):
        """All labelled examples of the project's files, and intents and custom actions of the domain.

        NLU files are remembered: as a rule the project is split next.
        """
        from rasa.shared.constants import UTTER_PREFIX
        from rasa.shared.core.constants import DEFAULT_INTENTS

        from . import examples

        examples.forget()
        domain = self.importer(nlu=False).get_domain()
        pairs = examples.read(self.data, self.relative, load=examples.remembered)
        found = [example for example, _ in pairs]
        used = {example["intent"] for example in found}
        intents = [i for i in domain.intents if i not in DEFAULT_INTENTS or i in used]
        actions = [a for a in domain.user_actions if not a.startswith(UTTER_PREFIX)]
        return {"examples": found, "domain_intents": intents, "domain_actions": sorted(actions)}
