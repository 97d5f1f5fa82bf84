"""The client's half of the conversation, with a stand-in for the worker that misbehaves."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.waiting import assert_gone, wait_until

from retrainer.adapters import processes
from retrainer.adapters.rasa_client import RasaClient
from retrainer.adapters.time_limits import TimeLimits
from retrainer.errors import (
    ModelArchiveError,
    ProjectError,
    RasaEnvironmentError,
    RasaError,
    RasaTimeout,
    RasaWorkerDied,
    RetrainerError,
    StorageError,
)
from retrainer.ports import Project, Versions

#: Speaks the worker's protocol; `answer(request)` is filled in by each test.
STAND_IN = """#!{python}
import json, os, signal, sys, time
requests, events = (os.fdopen(int(fd), mode) for fd, mode in zip(sys.argv[-2:], "rw"))
def say(**event):
    events.write(json.dumps(event) + "\\n")
    events.flush()
VERSIONS = dict(event="result", value=dict(python="3.10.1", rasa="3.6.21", libraries={{}}))
{start}
say(event="ready")
for line in requests:
    request = json.loads(line)
    {answer}
"""

MakeClient = Callable[..., RasaClient]


@pytest.fixture
def make(tmp_path: Path) -> MakeClient:
    """Makes a client whose interpreter is the stand-in."""

    def client(
        answer: str = "say(**VERSIONS)", start: str = "", limits: TimeLimits | None = None
    ) -> RasaClient:
        python = tmp_path / "python"
        python.write_text(STAND_IN.format(python=sys.executable, start=start, answer=answer))
        python.chmod(0o755)
        return RasaClient(
            python=python, cache=tmp_path / "cache", log=tmp_path / "log", limits=limits
        )

    return client


def test_nothing_is_started_before_it_is_needed(make: MakeClient, tmp_path: Path) -> None:
    """A client that is only made costs nothing."""
    with make():
        pass
    assert not (tmp_path / "log").exists()


def test_one_process_serves_all_requests(make: MakeClient, tmp_path: Path) -> None:
    """The worker is started once, and gone at the end."""
    start = f"open({str(tmp_path / 'pids')!r}, 'a').write(str(os.getpid()) + chr(10))"
    with make(start=start) as rasa:
        assert rasa.versions() == rasa.versions() == Versions("3.10.1", "3.6.21", {})
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 1
    assert_gone(map(int, pids))


def test_garbage_on_standard_output_is_harmless(make: MakeClient, tmp_path: Path) -> None:
    """What libraries print goes to the log, not into the conversation."""
    answer = "os.write(1, b'{\"event\": \\xff'); os.write(2, b'more'); say(**VERSIONS)"
    with make(answer) as rasa:
        assert rasa.versions().rasa == "3.6.21"
    assert b'{"event": \xffmore' in (tmp_path / "log").read_bytes()


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL .*out-of-memory killer"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV"),
        ("sys.exit(3)", "ended with exit code 3"),
        ('events.write(\'{"event": "res\'); sys.exit(0)', "ended with exit code 0"),
    ],
)
def test_death_in_the_middle(make: MakeClient, answer: str, ending: str) -> None:
    """How the worker ended is said, with the last lines of its log; the next request has another."""
    answer = f"print('line 1'); print('last words', flush=True); {answer}"
    with make(answer) as rasa:
        for _ in range(2):
            with pytest.raises(RasaWorkerDied, match=ending) as caught:
                rasa.versions()
            assert "\n  line 1\n  last words" in caught.value.message


def test_death_while_what_it_started_lives_on(make: MakeClient) -> None:
    """A child that holds the pipes open does not hide the death."""
    with make("os.fork() or time.sleep(600); os._exit(9)") as rasa:
        started = time.monotonic()
        with pytest.raises(RasaWorkerDied, match="exit code 9"):
            rasa.versions()
        assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "answer",
    [
        "time.sleep(600)",
        "say(event='part', items=[1] * 100)",
        "any(say(event='part', items=[]) for _ in iter(int, 1))",
    ],
)
def test_time_limit(make: MakeClient, answer: str) -> None:
    """A worker that does not come to an end is ended."""
    with make(answer, limits=TimeLimits(read=0.5)) as rasa:
        started = time.monotonic()
        with pytest.raises(RasaTimeout, match=r"0\.5 s to versions"):
            rasa.versions()
        assert time.monotonic() - started < 5


def test_time_limit_holds_for_a_request_that_is_not_read(make: MakeClient) -> None:
    """A long request to a worker that stopped reading does not block for ever."""
    start = "say(event='ready'); time.sleep(600)"
    with (
        make(start=start, limits=TimeLimits(read=0.5)) as rasa,
        pytest.raises(RasaTimeout),
    ):
        rasa.read_examples([Path("x" * 1000) for _ in range(1000)])


def test_long_requests_and_answers_arrive_whole(make: MakeClient) -> None:
    """Far more than a pipe holds, in both directions."""
    answer = (
        "say(event='result', value=[dict(text=file, intent='a', entities=[], response=None, "
        "file=file, line=1) for file in request['arguments']['files']])"
    )
    files = [Path(f"{number}-" + "ä☀" * 100) for number in range(3000)]
    with make(answer) as rasa:
        assert [e.text for e in rasa.read_examples(files)] == [str(file) for file in files]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("project", ProjectError),
        ("rasa", RasaError),
        ("environment", RasaEnvironmentError),
        ("storage", StorageError),
        ("archive", ModelArchiveError),
    ],
)
def test_errors_of_the_worker(
    make: MakeClient, kind: str, error: type[RetrainerError], tmp_path: Path
) -> None:
    """Each kind is an error class of ours; the worker lives on."""
    start = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')"
    with make(f"say(event='error', kind={kind!r}, message='m', tip='t')", start) as rasa:
        for _ in range(2):
            with pytest.raises(RetrainerError, match="m") as caught:
                rasa.versions()
            assert type(caught.value) is error
            assert caught.value.tip == "t"
    assert (tmp_path / "starts").read_text() == "x"


def test_a_listener_that_fails_costs_the_worker(make: MakeClient, tmp_path: Path) -> None:
    """A request that was cut off must not answer to the next one."""
    answer = (
        "say(event='progress', what='w', done=None, total=None, unit='') "
        "if request['operation'] == 'train' else say(**VERSIONS)"
    )

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with make(answer) as rasa:
        project = rasa_project(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            rasa.train(project, "name", tmp_path / "models", interrupt)
        assert rasa.versions().rasa == "3.6.21"
    assert list((tmp_path / "models").iterdir()) == []


def rasa_project(root: Path) -> Project:
    """Paths alone; the stand-in reads nothing."""
    return Project(root, root / "config.yml", (root / "domain.yml",), (root / "data",))


def test_an_archive_that_is_none_is_not_kept(make: MakeClient, tmp_path: Path) -> None:
    """Whatever Rasa says it trained is looked at before it gets its name."""
    answer = (
        "path = request['arguments']['into'] + '/name.tar.gz'; "
        "open(path, 'w').write('no model'); say(event='result', value=path)"
    )
    with make(answer) as rasa, pytest.raises(ModelArchiveError):
        rasa.train(rasa_project(tmp_path), "name", tmp_path / "models", lambda _: None)
    assert list((tmp_path / "models").iterdir()) == []


def test_any_thread_may_ask(make: MakeClient) -> None:
    """The worker outlives the thread that started it, and serves others one after the other."""
    answers: list[Versions] = []
    with make("time.sleep(0.01); say(**VERSIONS)") as rasa:
        first = threading.Thread(target=lambda: answers.append(rasa.versions()))
        first.start()
        first.join()
        others = [
            threading.Thread(target=lambda: answers.append(rasa.versions())) for _ in range(8)
        ]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join()
    assert [a.rasa for a in answers] == ["3.6.21"] * 9


@pytest.mark.parametrize(
    ("start", "complaint"),
    [
        ("sys.exit('cannot start')", "exit code 1\n  cannot start"),
        ("say(event='error', kind='environment', message='Rasa 2.8', tip='t')", "Rasa 2.8"),
    ],
)
def test_an_environment_that_does_not_work(make: MakeClient, start: str, complaint: str) -> None:
    """A worker that does not get ready is a matter of the environment."""
    with make(start=start) as rasa, pytest.raises(RasaEnvironmentError, match=complaint):
        rasa.versions()


def test_a_worker_that_never_gets_ready(make: MakeClient) -> None:
    """The start has a limit too."""
    with (
        make(start="time.sleep(600)", limits=TimeLimits(start=0.3)) as rasa,
        pytest.raises(RasaTimeout, match="did not start within"),
    ):
        rasa.versions()


def test_no_interpreter(tmp_path: Path) -> None:
    """A missing one is named, with the command that makes one."""
    rasa = RasaClient(python=tmp_path / "nowhere", cache=tmp_path / "c", log=tmp_path / "log")
    with rasa, pytest.raises(RasaEnvironmentError, match="nowhere") as caught:
        rasa.versions()
    assert "rasa setup" in str(caught.value.tip)


def test_an_interpreter_without_rasa(tmp_path: Path) -> None:
    """The real worker says itself that this is no environment for it."""
    rasa = RasaClient(python=Path(sys.executable), cache=tmp_path / "c", log=tmp_path / "log")
    with rasa, pytest.raises(RasaEnvironmentError, match=r"no Rasa .*3\.5 and 3\.6"):
        rasa.versions()


def python_with(folder: Path) -> Path:
    """An interpreter that has the packages of `folder/site`."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}/site" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("version", "fine"), [("3.6.20", True), ("3.7.1", False), ("2.8.0", False)]
)
def test_other_versions_of_rasa_are_refused(tmp_path: Path, version: str, fine: bool) -> None:
    """By name, with what is supported."""
    package = tmp_path / "site" / f"rasa-{version}.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rasa\nVersion: {version}\n")
    rasa = RasaClient(python=python_with(tmp_path), cache=tmp_path / "c", log=tmp_path / "log")
    with rasa:
        if fine:
            assert rasa.versions().rasa == version
        else:
            with pytest.raises(RasaEnvironmentError, match=rf"{version} .*3\.5 and 3\.6"):
                rasa.versions()


def test_no_module_of_ours_is_in_the_way(tmp_path: Path) -> None:
    """Users' components may be called `training` or `project` too."""
    package = tmp_path / "site" / "rasa-3.6.20.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: rasa\nVersion: 3.6.20\n")
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "from pathlib import Path\n"
        f"here = Path({str(tmp_path)!r})\n"
        "import json\n"
        "original = json.loads\n"
        "def loads(*a):\n"
        "    (here / 'path').write_text(chr(10).join(sys.path))\n"
        "    (here / 'modules').write_text(chr(10).join(sys.modules))\n"
        "    return original(*a)\n"
        "json.loads = loads\n"
    )
    rasa = RasaClient(python=python_with(tmp_path), cache=tmp_path / "c", log=tmp_path / "log")
    with rasa:
        rasa.versions()
    assert "rasa_worker" not in (tmp_path / "path").read_text()
    modules = (tmp_path / "modules").read_text().split()
    assert "retrainer_rasa_worker.service" in modules
    assert not {"retrainer", "service", "faults", "project"} & set(modules)


def test_secrets_stay_here(make: MakeClient, tmp_path: Path) -> None:
    """The worker's environment has what Rasa needs, none of our settings."""
    os.environ["RETRAINER_TEST_SECRET"] = "s"
    try:
        start = f"json.dump(dict(os.environ), open({str(tmp_path / 'env')!r}, 'w'))"
        with make(start=start) as rasa:
            rasa.versions()
    finally:
        del os.environ["RETRAINER_TEST_SECRET"]
    environment = (tmp_path / "env").read_text()
    assert "RETRAINER_TEST_SECRET" not in environment
    assert f'"RASA_CACHE_DIRECTORY": "{tmp_path / "cache"}"' in environment
    assert '"RASA_TELEMETRY_ENABLED": "false"' in environment


def test_a_killed_parent_takes_the_guarded_worker_along(tmp_path: Path) -> None:
    """The guard watches the pipe, so that a worker that is busy or stopped dies too."""
    script = (
        "import os, sys, time\n"
        "from importlib.resources import files\n"
        "from pathlib import Path\n"
        "from retrainer.adapters.processes import start\n"
        "read, write = os.pipe()\n"
        "code = ('import importlib.util, os, signal, sys, time;'\n"
        "  'spec = importlib.util.spec_from_file_location(\"lifeline\", sys.argv[1]);'\n"
        "  'lifeline = importlib.util.module_from_spec(spec); spec.loader.exec_module(lifeline);'\n"
        "  'lifeline.follow(int(sys.argv[2]));'\n"
        "  'open(sys.argv[3], \"w\").write(str(os.getpid()) + chr(10));'\n"
        "  'os.kill(os.getpid(), signal.SIGSTOP)')\n"
        "module = files('retrainer') / 'rasa_worker' / 'lifeline.py'\n"
        "start([sys.executable, '-c', code, str(module), str(read), sys.argv[1]], keep_open=[read])\n"
        "time.sleep(600)\n"
    )
    pid_file = tmp_path / "pid"
    parent = processes.start([sys.executable, "-c", script, str(pid_file)])
    try:
        wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"), seconds=20)
        parent.kill()
        assert_gone([int(pid_file.read_text())])
    finally:
        processes.kill_group(parent)
