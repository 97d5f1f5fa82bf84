"""Test stories: conversations with what the assistant is to understand and to do at each turn."""

import asyncio
import gc
import warnings

from . import components, networks, prediction
from .encoding import require_utf8
from .faults import ARCHIVE, PROJECT, RASA, Fault, project_fault, root_cause


def check(project, paths):
    """Make sure that the test stories of files and folders are usable.

    What Rasa would skip or no model could pass is a fault, and so is a story that is trained on: a
    model knows it by heart.
    """
    from rasa.shared.core.domain import Domain

    files = _files(paths, project.relative)
    _require_unseen(project, files)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _graph(files, Domain.load(project.domain_argument()), PROJECT, project.relative)
    for warning in caught:
        said = " ".join(str(warning.message).split()).replace("{}/".format(project.root), "")
        if "skipped" in said or "not part of the domain" in said:
            raise project_fault(said)


def test(archive, paths, code, out):
    """What `rasa test core --e2e` finds: each story, and its first wrong turn where it failed.

    No action is run: Rasa compares what the model would do with what the story says. `code` is as
    in `prediction.predict`. The whole model is loaded for this, and let go of at the end.
    """
    prediction.forget()  # the halves of two models; this is a whole one
    files = _files(paths)
    agent = _load(archive, code)
    try:
        return asyncio.run(_results(agent, _trackers(agent, files), out))
    finally:
        del agent
        gc.collect()  # networks hold on to themselves


def _files(paths, show=str):
    """The files of test stories; Rasa knows them by their names, and passes others over."""
    from rasa.shared import data
    from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader

    require_utf8(paths, show)
    for path in paths:
        if not data.get_data_files([str(path)], YAMLStoryReader.is_test_stories_file):
            raise project_fault(
                "no test stories, at least 1 is needed",
                show(path),
                tip="Rasa takes a .yml file for one of test stories if its name begins with "
                "`test_` and it holds `stories:`",
            )
    found = data.get_data_files([str(p) for p in paths], YAMLStoryReader.is_test_stories_file)
    return [str(file) for file in found]


def _require_unseen(project, files):
    """Rasa trains on every story of the training data, also on those of `test_` files."""
    from rasa.shared import data
    from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader

    trained = data.get_data_files([str(p) for p in project.data], YAMLStoryReader.is_stories_file)
    seen = sorted(set(files) & set(trained))
    if seen:
        raise project_fault(
            "{} of {} files of test stories are training data too, 0 may be: "
            "Rasa trains on all stories that it finds there".format(len(seen), len(files)),
            project.relative(seen[0]),
            tip="move test stories out of the training data, such as to a folder `tests` beside it",
        )


def _graph(files, domain, kind, show=str):
    """Rasa's view of the stories; a fault of this kind where the domain is too small for them."""
    from rasa.shared.core.training_data.loading import load_data_from_files
    from rasa.shared.core.training_data.structures import StoryGraph

    steps = []
    for file in files:
        try:
            steps += load_data_from_files([file], domain)
        except StopIteration:  # all that Rasa says
            raise Fault(
                "{}: `slot_was_set` names a slot that the domain does not have".format(show(file)),
                kind,
            ) from None
    return StoryGraph(steps)


def _load(archive, code):
    """Rasa's agent with this model; there is no action server that it could call."""
    networks.configure()
    from rasa.core.agent import Agent
    from rasa.shared.data import TrainingType

    networks.install()
    components.use(code)
    try:
        with networks.built_eagerly():
            agent = Agent.load(str(archive))
    except (OSError, KeyError, ValueError, EOFError) as error:
        cause = root_cause(error)
        raise Fault("{} cannot be loaded: {}".format(archive.name, cause), ARCHIVE) from error
    if agent.processor.model_metadata.training_type is TrainingType.NLU:
        raise Fault("{} holds no dialogue policies to test stories with".format(archive.name))
    return agent


def _trackers(agent, files):
    """The conversations that the stories make, an `or` giving several, in an order of our own.

    They are the same for every model. Rasa's order changes from time to time, and it leaves out
    stories that are alike to the model, as they are where one sets a slot that it does not have.
    """
    from rasa.shared.core.generator import TrainingDataGenerator

    class Generator(TrainingDataGenerator):
        def _remove_duplicate_story_end_trackers(self, trackers):
            return trackers

    generator = Generator(
        _graph(files, agent.domain, RASA),
        agent.domain,
        remove_duplicates=False,
        use_story_concatenation=False,
        augmentation_factor=0,
    )
    # Where checkpoints are used, one conversation may be made several times.
    found = {
        _place_and_content(tracker): tracker for tracker in generator.generate_story_trackers()
    }
    return [found[key] for key in sorted(found)]


def _place_and_content(tracker):
    content = tuple(part for event in tracker.events for part in _content(event))
    return tracker.sender_source or "", tracker.sender_id, content


def _content(event):
    yield event.type_name
    for name in (
        "text",
        "intent",
        "entities",
        "action_name",
        "action_text",
        "key",
        "value",
        "name",
    ):
        yield str(getattr(event, name, ""))


async def _results(agent, trackers, out):
    results, seen = [], {}
    for done, tracker in enumerate(trackers, start=1):
        file, name = tracker.sender_source or "", tracker.sender_id
        seen[file, name] = number = seen.get((file, name), 0) + 1
        several = " ({})".format(number) if number > 1 else ""
        problem = await _tested(agent, tracker)
        results.append({"file": file, "name": name + several, "problem": problem})
        out.progress("testing stories", done, len(trackers), "stories")
    return results


async def _tested(agent, tracker):
    """What is wrong with the model's way through a story; None if nothing."""
    from rasa.core import test as rasa_test
    from rasa.shared.exceptions import RasaException

    try:
        answers = await rasa_test._predict_tracker_actions(  # noqa: SLF001 - the test of one story
            tracker, agent, use_e2e=True
        )
    except RasaException as error:
        # There Rasa's test ends. The model is older than the story: it lacks a form, as a rule.
        return "cannot be played: {}".format(str(error).split(". ")[0])
    store, predicted = answers[:2]
    return _problem(predicted) if store.check_prediction_target_mismatch() else None


def _problem(predicted):
    """A phrase on the first turn that went wrong; users' turns are counted from 1."""
    from rasa.core import test as rasa_test
    from rasa.shared.core.events import UserUttered

    turn, text = 0, None
    for event in predicted.events:
        if isinstance(event, UserUttered):
            turn, text = turn + 1, event.text or "/{}".format(event.intent_name)
        if isinstance(event, rasa_test.WronglyClassifiedUserUtterance):
            wrong = _misunderstood(event)
        elif isinstance(event, rasa_test.WronglyPredictedAction):
            wrong = _wrong_action(event)
        else:
            continue
        if wrong is not None:
            where = "turn {} ({!r})".format(turn, text) if turn else "at the start"
            return "{}: {}".format(where, wrong)
    return "not as the story says"


def _misunderstood(event):
    if event.predicted_intent != event.intent["name"]:
        return "understood as {} instead of {}".format(
            event.predicted_intent or "nothing", event.intent["name"]
        )
    wanted, found = (_described(e) for e in (event.target_entities, event.predicted_entities))
    missing, odd = (
        [each for each in wanted if each not in found],
        [e for e in found if e not in wanted],
    )
    if missing and odd:
        return "found {} instead of {}".format(", ".join(odd), ", ".join(missing))
    return (
        "found {}, which is not annotated".format(", ".join(odd))
        if odd
        else ("{} not found".format(", ".join(missing)))
    )


def _wrong_action(event):
    """None for a mere warning: the right action came after `action_unlikely_intent`."""
    wanted, predicted = event.action_name or event.action_text, event.action_name_prediction
    return None if wanted == predicted else "{} instead of {}".format(predicted, wanted)


def _described(entities):
    """Each entity as Rasa compares it, in words; roles and groups are no part of that."""
    return sorted(
        {
            "{}={!r} at {}:{}".format(e.get("entity"), e.get("value"), e.get("start"), e.get("end"))
            for e in entities
        }
    )
