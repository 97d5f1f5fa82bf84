"""The registry on a real S3 server, with networks and processes that fail."""

import os
import random
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.archives import write_model
from support.children import python
from support.fault_proxy import Closed, Dripped, Fault, Hung, Page, fault_proxy
from support.object_places import s3_registry
from support.s3_server import KEY, SECRET, S3Server
from support.waiting import wait_until

from retrainer.adapters.object_storage.registry import ObjectRegistry
from retrainer.adapters.processes import run
from retrainer.domain.cycle import Model
from retrainer.errors import PlatformError, ServerError

MEBIBYTE = 1024 * 1024
ARCHIVES = r"/model\.tar\.gz$"


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """A new bucket."""
    return s3.new_bucket()


@pytest.fixture
def registry(s3: S3Server, bucket: str, tmp_path: Path) -> ObjectRegistry:
    """A registry in the bucket, with the model one, which is active."""
    registry = s3_registry(f"s3://{bucket}/models", s3.url, tmp_path / "copies")
    registry.require_ready("3.6.21")
    registry.upload(*write_model(tmp_path, "one"))
    registry.activate("one", expected=None)
    return registry


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model of three parts."""
    content = random.Random(1).randbytes(12 * MEBIBYTE)
    return write_model(tmp_path_factory.mktemp("large"), "large", content)


def test_a_large_model_goes_in_parts(
    registry: ObjectRegistry, s3: S3Server, bucket: str, large: tuple[Model, Path]
):
    """Parts are put together by the server; what comes back is what was sent."""
    model, archive = large
    registry.upload(model, archive)
    tag = s3.client.head_object(Bucket=bucket, Key="models/versions/large/model.tar.gz")["ETag"]
    assert tag.endswith('-3"')
    assert s3.uploads(bucket) == []
    assert registry.fetch("large").read_bytes() == archive.read_bytes()
    registry.activate("large", expected="one")
    registry.confirm("large")


def test_what_another_process_does_is_seen_at_once(
    registry: ObjectRegistry, s3: S3Server, bucket: str, tmp_path: Path
):
    """No listing is remembered: two registries of the same bucket always say the same."""
    other = s3_registry(f"s3://{bucket}/models", s3.url, tmp_path / "other")
    for number in range(3):
        name = f"model-{number}"
        active = registry.active()
        assert other.active() == active
        other.upload(*write_model(tmp_path, name))
        assert name in {model.name for model in registry.models()}
        registry.activate(name, expected=active)
        assert other.active() == name
        other.remove(active)
        assert active not in {model.name for model in registry.models()}


def test_an_archive_that_was_copied_is_still_whole(
    registry: ObjectRegistry, s3: S3Server, bucket: str, large: tuple[Model, Path]
):
    """A bucket that was restored has other marks; then the content decides, not the mark."""
    registry.upload(*large)
    key = "models/versions/large/model.tar.gz"
    before = s3.client.head_object(Bucket=bucket, Key=key)["ETag"]
    s3.client.put_object(Bucket=bucket, Key=key, Body=s3.content(bucket, key))
    assert s3.client.head_object(Bucket=bucket, Key=key)["ETag"] != before
    registry.activate("large", expected="one")
    registry.confirm("large")
    s3.client.put_object(Bucket=bucket, Key=key, Body=s3.content(bucket, key)[::-1])
    with pytest.raises(PlatformError, match="has the SHA-256"):
        registry.confirm("large")


@pytest.mark.parametrize(
    ("method", "fault", "nth"),
    [
        ("PUT", Closed(forwarded=False), 2),
        ("PUT", Page(403), 3),
        ("POST", Page(403), 2),  # the parts are there, putting them together fails
        ("GET", Page(403), 1),  # it cannot be read back
    ],
)
def test_an_upload_that_fails_leaves_no_model(
    registry: ObjectRegistry,
    s3: S3Server,
    bucket: str,
    large: tuple[Model, Path],
    tmp_path: Path,
    method: str,
    fault: Fault,
    nth: int,
):
    """Wherever it fails, nothing half-sent is taken for a model, and the next upload succeeds."""
    with fault_proxy(s3.url) as proxy:
        behind = s3_registry(f"s3://{bucket}/models", proxy.url, tmp_path / "behind", timeout=2)
        if isinstance(fault, Closed):  # clients try again: it has to fail for good
            proxy.on(method, ARCHIVES, fault)
        else:
            proxy.on(method, ARCHIVES, fault, nth=nth)
        with pytest.raises(PlatformError, match=r"access is denied|connection was lost"):
            behind.upload(*large)
        assert [model.name for model in registry.models()] == ["one"]
        assert registry.damaged() == ()
        proxy.clear()
        behind.upload(*large)
    registry.confirm("one")
    registry.activate("large", expected="one")
    assert s3.uploads(bucket) == []


def test_a_connection_that_breaks_once_breaks_nothing(
    registry: ObjectRegistry, s3: S3Server, bucket: str, large: tuple[Model, Path], tmp_path: Path
):
    """Single losses are made good, up and down, and of a promotion whose answer is lost too."""
    with fault_proxy(s3.url) as proxy:
        behind = s3_registry(f"s3://{bucket}/models", proxy.url, tmp_path / "behind")
        proxy.on("PUT", ARCHIVES, Closed(forwarded=True), nth=2)
        behind.upload(*large)
        proxy.clear()
        proxy.on("GET", ARCHIVES, Closed(after=MEBIBYTE), nth=2)
        assert behind.fetch("large").read_bytes() == large[1].read_bytes()
        proxy.on("PUT", r"/champion/", Closed(forwarded=True), nth=1)
        behind.activate("large", expected="one")
    assert registry.active() == "large"


def test_a_download_that_stays_cut_off_publishes_nothing(
    registry: ObjectRegistry, s3: S3Server, bucket: str, large: tuple[Model, Path], tmp_path: Path
):
    """A truncated archive never gets the place of a whole one."""
    registry.upload(*large)
    with fault_proxy(s3.url) as proxy:
        proxy.on("GET", ARCHIVES, Closed(after=MEBIBYTE))
        behind = s3_registry(f"s3://{bucket}/models", proxy.url, tmp_path / "behind")
        with pytest.raises(ServerError, match="fetching into"):
            behind.fetch("large")
        assert list((tmp_path / "behind").iterdir()) == []
        proxy.clear()
        assert behind.fetch("large").read_bytes() == large[1].read_bytes()


@pytest.mark.parametrize(
    ("fault", "limit", "said"),
    [
        (Hung(), 1.0, "no answer within 1 s"),
        (Dripped(), 1.0, "no answer within 1 s"),
        (Page(403), 10.0, "access is denied"),
        (Page(404), 10.0, "there is no bucket"),
    ],
)
def test_servers_that_do_not_answer_as_asked(
    registry: ObjectRegistry,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    fault: Fault,
    limit: float,
    said: str,
):
    """Each is one clear error within a bounded time, and the champion is untouched."""
    with fault_proxy(s3.url) as proxy:
        proxy.on("*", "", fault)
        behind = s3_registry(f"s3://{bucket}/models", proxy.url, tmp_path / "b", timeout=limit)
        for call in (
            behind.active,
            behind.models,
            lambda: behind.require_ready("3.6.21"),
            lambda: behind.confirm("one"),
        ):
            with pytest.raises(PlatformError, match=said) as caught:
                call()
            assert f"s3://{bucket}/models" in str(caught.value)
    registry.confirm("one")


def test_nobody_at_the_address(tmp_path: Path):
    """The address is named, not the library's words for it."""
    registry = s3_registry("s3://bucket/models", "http://127.0.0.1:9", tmp_path)
    with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        registry.active()


def test_a_bucket_that_is_missing_is_named(s3: S3Server, tmp_path: Path):
    """A missing bucket is not taken for an empty one, whatever is asked first."""
    registry = s3_registry("s3://nowhere/models", s3.url, tmp_path / "copies")
    for call in (
        lambda: registry.require_ready("3.6.21"),
        registry.active,
        registry.models,
        lambda: registry.fetch("one"),
        lambda: registry.upload(*write_model(tmp_path, "one")),
    ):
        with pytest.raises(PlatformError, match="there is no bucket nowhere"):
            call()


def test_a_bucket_that_is_read_only_is_found_out_before_a_cycle_trains(
    registry: ObjectRegistry, s3: S3Server, bucket: str, tmp_path: Path
):
    """Who may only read can look at everything, and change nothing."""
    reader = s3.new_user("s3:GetObject", "s3:ListBucket")
    url = f"s3://{bucket}/models"
    with s3.guarded():
        read_only = s3_registry(url, s3.url, tmp_path / "c", key=reader.key, secret=reader.secret)
        assert [model.name for model in read_only.models()] == ["one"]
        read_only.fetch("one")
        for call in (
            lambda: read_only.require_ready("3.6.21"),
            lambda: read_only.upload(*write_model(tmp_path, "two")),
            lambda: read_only.remove("two"),
        ):
            with pytest.raises(PlatformError, match="access is denied") as caught:
                call()
            assert f"in {url}" in str(caught.value.tip)
    assert [model.name for model in registry.models()] == ["one"]


def test_credentials_that_are_wrong_are_told(s3: S3Server, bucket: str, tmp_path: Path):
    """A wrong key and a wrong secret are told apart from missing rights; neither is shown."""
    user = s3.new_user("s3:*")
    with s3.guarded():
        for key, secret, said in (
            ("AKIAXXXXXXXXXXXXXXXX", "HIDDEN", "InvalidAccessKeyId"),
            (user.key, "HIDDEN", "SignatureDoesNotMatch"),
        ):
            registry = s3_registry(f"s3://{bucket}", s3.url, tmp_path, key=key, secret=secret)
            for call in (registry.active, lambda: registry.fetch("one")):  # noqa: B023 - used here
                with pytest.raises(PlatformError, match=rf"not accepted \({said}\)") as caught:
                    call()
                assert "HIDDEN" not in str(caught.value)
                assert caught.value.__cause__ is None


def test_without_credentials_it_is_said_what_is_missing(s3: S3Server, tmp_path: Path):
    """The provider's own chain of credentials is asked; where it ends, people are told."""
    ask = """
        import sys
        from pathlib import Path
        from retrainer.adapters.object_storage.registry import ObjectRegistry
        from retrainer.errors import PlatformError
        options = ObjectRegistry.Options(url="s3://bucket", endpoint_url=sys.argv[1])
        try:
            ObjectRegistry.from_options(options, folder=Path(sys.argv[2])).active()
        except PlatformError as error:
            print(error)
    """
    with python(ask, s3.url, tmp_path) as child:
        output, errors = child.communicate(timeout=60)
        assert "no usable credentials were found" in output, errors


UPLOAD = """
    import sys
    from pathlib import Path
    from support.archives import write_model
    from support.object_places import s3_registry
    url, endpoint, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    registry = s3_registry(url, endpoint, folder / "copies")
    model, archive = write_model(folder, "large", b"0123456789abcdef" * 786432)
    print("ready", flush=True)
    registry.upload(model, archive)
    print("done", flush=True)
"""


@pytest.mark.parametrize(
    ("method", "nth", "parts"),
    [("PUT", 3, True), ("POST", 2, True), ("GET", 1, False)],
    ids=["between two parts", "before they are put together", "before it is recorded"],
)
def test_a_process_killed_while_it_uploads(
    registry: ObjectRegistry,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    method: str,
    nth: int,
    *,
    parts: bool,
):
    """After SIGKILL there is no such model, the next upload succeeds, and what is left goes."""
    url = f"s3://{bucket}/models"
    (tmp_path / "child").mkdir()
    with fault_proxy(s3.url) as proxy:
        proxy.on(method, ARCHIVES, Hung(), nth=nth)
        with python(UPLOAD, url, proxy.url, tmp_path / "child") as child:
            assert child.stdout.readline() == "ready\n", child.stderr.read()
            wait_until(lambda: proxy.count(method, ARCHIVES) >= nth, seconds=30)
            os.kill(child.pid, signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL
    assert [model.name for model in registry.models()] == ["one"]
    assert registry.damaged() == ()
    assert bool(s3.uploads(bucket)) == parts
    with python(UPLOAD, url, s3.url, tmp_path / "child") as child:
        output, errors = child.communicate(timeout=60)
        assert output == "ready\ndone\n", errors
    registry.activate("large", expected="one")
    registry.confirm("large")
    assert s3.uploads(bucket) == []  # to this server every upload was begun in 2010


ACTIVATE = """
    import sys
    from pathlib import Path
    from support.object_places import s3_registry
    from retrainer.errors import ChampionMoved
    url, endpoint, folder, name = sys.argv[1:]
    registry = s3_registry(url, endpoint, Path(folder))
    registry.active()
    print("ready", flush=True)
    expected = sys.stdin.readline().strip()
    while expected:
        try:
            registry.activate(name, expected=expected)
            print("won", flush=True)
        except ChampionMoved:
            print("moved", flush=True)
        expected = sys.stdin.readline().strip()
"""


def test_of_processes_that_promote_at_once_one_wins(
    registry: ObjectRegistry, s3: S3Server, bucket: str, tmp_path: Path
):
    """The champion is changed by compare-and-swap: every loser is told that it lost."""
    url, names = f"s3://{bucket}/models", ["a", "b", "c"]
    for name in names:
        registry.upload(*write_model(tmp_path, name))
    with ExitStack() as stack:
        children = [
            stack.enter_context(python(ACTIVATE, url, s3.url, tmp_path / name, name))
            for name in names
        ]
        for child in children:
            assert child.stdout.readline() == "ready\n", child.stderr.read()
        for round_number in range(10):
            if (active := registry.active()) != "one":
                registry.activate("one", expected=active)
            for child in children:
                child.stdin.write("one\n")
                child.stdin.flush()
            answers = [child.stdout.readline().strip() for child in children]
            assert Counter(answers) == {"won": 1, "moved": 2}, f"round {round_number}"
            assert registry.active() == names[answers.index("won")]


MEMORY = r"""
    import random, re, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from support.object_places import s3_registry
    from retrainer.adapters.files import sha256
    from retrainer.domain.cycle import Model
    def peak():  # MiB; what getrusage says counts the parent's memory as well
        return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) >> 10

    url, endpoint, folder, size = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    registry = s3_registry(url, endpoint, folder / "copies", timeout=60, transfer_timeout=300)
    archive = folder / "model"
    with archive.open("wb") as file:
        for number in range(size):
            file.write(random.Random(number).randbytes(1024 * 1024))
    model = Model("large", sha256(archive), size * 1024 * 1024, "3.6.21", datetime.now(UTC))
    registry.models()
    before = peak()
    registry.upload(model, archive)
    assert sha256(registry.fetch("large")) == model.sha256
    print(peak() - before)
"""


def test_a_model_is_never_in_memory_as_a_whole(
    registry: ObjectRegistry, s3: S3Server, bucket: str, tmp_path: Path
):
    """Sending, reading back and fetching 200 MiB take a few parts' worth of memory."""
    registry.models()
    with python(MEMORY, f"s3://{bucket}/models", s3.url, tmp_path, 200) as child:
        output, errors = child.communicate(timeout=120)
        assert output, errors
    assert int(output) < 100


@pytest.mark.rasa
def test_rasa_itself_loads_a_model_from_the_bucket(
    registry: ObjectRegistry, s3: S3Server, bucket: str, tmp_path: Path, rasa_python: Path
):
    """`rasa run --remote-storage aws --model KEY` finds a stored model by its key."""
    retrieve = (
        "from rasa.nlu.persistor import get_persistor\n"
        "get_persistor('aws').retrieve('models/versions/one/model.tar.gz', 'retrieved')\n"
    )
    environment = {
        "BUCKET_NAME": bucket,
        "AWS_ENDPOINT_URL": s3.url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [rasa_python, "-c", retrieve]
    run(command, timeout=120, environment=environment, folder=tmp_path)
    assert (tmp_path / "retrieved").read_bytes() == registry.fetch("one").read_bytes()
