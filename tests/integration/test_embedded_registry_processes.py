"""The embedded registry among real processes: at once, and killed at any moment."""

import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.archives import write_model
from support.children import python

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.files import sha256
from retrainer.adapters.folders import exclusive
from retrainer.errors import StorageError

ROUNDS = 40

ACTIVATE = """
    import sys
    from pathlib import Path
    from retrainer.adapters.embedded_registry import EmbeddedRegistry
    from retrainer.errors import ChampionMoved
    registry = EmbeddedRegistry(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        registry.activate(sys.argv[2], expected="first")
    except ChampionMoved:
        print("moved")
    else:
        print("won")
"""

#: Uploads, activates and removes models without end; the second argument makes names unique.
CHURN = """
    import itertools, sys
    from pathlib import Path
    from support.archives import write_model
    from retrainer.adapters.embedded_registry import EmbeddedRegistry
    registry, scratch, prefix = EmbeddedRegistry(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
    print("ready", flush=True)
    for number in itertools.count():
        name = f"{prefix}-{number}"
        registry.upload(*write_model(scratch, name, name.encode() * 100_000))
        before = registry.active()
        registry.activate(name, expected=before)
        registry.remove(before)
"""


def test_of_processes_that_activate_at_once_exactly_one_wins(tmp_path: Path):
    """Compare-and-swap holds among processes: every other one learns that the champion moved."""
    registry = EmbeddedRegistry(tmp_path / "registry")
    names = [f"challenger-{number}" for number in range(4)]
    for name in ("first", *names):
        registry.upload(*write_model(tmp_path, name))
    for round_number in range(3):
        before = registry.active()
        if before != "first":
            registry.activate("first", expected=before)
        with ExitStack() as stack:
            children = [
                stack.enter_context(python(ACTIVATE, tmp_path / "registry", name)) for name in names
            ]
            assert [child.stdout.readline() for child in children] == ["ready\n"] * len(names)
            for child in children:
                child.stdin.write("go\n")
                child.stdin.flush()
            answers = [child.communicate(timeout=30)[0].strip() for child in children]
        assert Counter(answers) == {"won": 1, "moved": len(names) - 1}, f"round {round_number}"
        assert registry.active() == names[answers.index("won")]
        assert registry.link.read_bytes() == registry.fetch(registry.active()).read_bytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_process_leaves_the_registry_whole(tmp_path: Path, seed: int):
    """After SIGKILL at any moment every visible model is complete and the champion can serve."""
    folder, scratch = tmp_path / "registry", tmp_path / "scratch"
    scratch.mkdir()
    registry = EmbeddedRegistry(folder)
    registry.upload(*write_model(tmp_path, "first"))
    registry.activate("first", expected=None)
    draw, moved = random.Random(seed), 0
    for round_number in range(ROUNDS // 2):
        before = registry.active()
        with python(CHURN, folder, scratch, f"round-{round_number}") as child:
            assert child.stdout.readline() == "ready\n", child.stderr.read()
            time.sleep(draw.uniform(0.0, 0.1))
            assert child.poll() is None, child.stderr.read()
            child.kill()
            child.wait()
        champion = registry.active()
        registry.confirm(champion)
        for model in registry.models():
            assert sha256(registry.fetch(model.name)) == model.sha256
        moved += champion != before
        # The next owner of the lock carries on as if nothing had happened.
        registry.upload(*write_model(tmp_path, f"after-{round_number}"))
        assert not list(folder.glob(".unfinished-*"))
        registry.activate(champion, expected=champion)
        assert registry.link.read_bytes() == registry.fetch(champion).read_bytes()
        registry.remove(f"after-{round_number}")
    assert moved > ROUNDS // 10, "the processes were killed before they did anything"


def test_a_process_that_holds_the_lock_is_not_waited_for_without_end(tmp_path: Path):
    """A paused process is named by the folder that it holds, instead of hanging this one."""
    hold = """
        import sys, time
        from pathlib import Path
        from retrainer.adapters.folders import exclusive
        with exclusive(Path(sys.argv[1])):
            print("ready", flush=True)
            time.sleep(60)
    """
    with python(hold, tmp_path) as child:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
        with (
            pytest.raises(StorageError, match=r"in use by another process for more than 0.1 s"),
            exclusive(tmp_path, wait=0.1),
        ):
            raise AssertionError
        child.kill()
        child.wait()
        with exclusive(tmp_path, wait=0.1):
            assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_passing_folder_never_has_two_owners(tmp_path: Path):
    """The lock that goes with its folder is still one lock, whoever waits for it meanwhile."""
    work = """
        import os, sys
        from pathlib import Path
        from retrainer.adapters.folders import exclusive
        folder, owner = Path(sys.argv[1]), Path(sys.argv[2])
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(40):
            with exclusive(folder, passing=True):
                os.close(os.open(owner, os.O_CREAT | os.O_EXCL))
                owner.unlink()
        print("done")
    """
    with ExitStack() as stack:
        children = [
            stack.enter_context(python(work, tmp_path / ".setup", tmp_path / "owner"))
            for _ in range(4)
        ]
        assert [child.stdout.readline() for child in children] == ["ready\n"] * len(children)
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            output, errors = child.communicate(timeout=60)
            assert output == "done\n", errors
    assert list(tmp_path.iterdir()) == []
