"""Where objects may be kept."""

import os
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from retrainer.adapters.object_storage.artifacts import ObjectArtifacts
from retrainer.adapters.object_storage.providers import Access, Location
from retrainer.adapters.object_storage.registry import ObjectRegistry
from retrainer.adapters.object_storage.storage import ObjectStorage, abort_uploads
from retrainer.errors import ConfigurationError, PlatformError, ServerError
from retrainer.wiring import Application

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "no place for objects: a URL that begins with s3://, gs://"),
        ("/srv/models", "no place for objects"),
        ("ftp://host/models", "'ftp://host/models' is no place for objects"),
        ("s3://", "names no bucket or folder"),
        ("s3:///models", "names no bucket or folder"),
        ("file://", "names no bucket or folder"),
        ("s3://bucket/models?versionId=1", "more than a bucket and a path"),
        ("s3://AKIA:HIDDEN@bucket/models", "more than a bucket and a path"),
    ],
)
def test_what_is_no_place_is_refused_before_anybody_is_asked(url: str, said: str):
    """A URL that cannot be right is told with the config, and what is secret in it is not."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        Location(url)
    assert "HIDDEN" not in str(caught.value)


@pytest.mark.skipif(find_spec("gcsfs") is not None, reason="the package is installed here")
def test_a_missing_package_is_named_with_how_to_get_it():
    """Support for a provider is optional, and the way to it is told."""
    with pytest.raises(ConfigurationError, match="gcsfs, which is not installed") as caught:
        Location("gs://bucket/models")
    assert caught.value.tip == "pip install 'retrainer[gcs]'"
    with pytest.raises(ValidationError, match=r"pip install 'retrainer\[gcs\]'"):
        ObjectRegistry.Options(url="gs://bucket/models")


@pytest.mark.parametrize(
    ("url", "access", "said"),
    [
        ("file:///models", Access(endpoint_url="http://here"), "takes no endpoint_url"),
        ("memory://models", Access(region="r", profile="p"), "takes no profile, region"),
        ("s3://bucket", Access(key="AKIA"), "`key` and `secret` go together"),
        ("s3://bucket", Access(secret=SecretStr("HIDDEN")), "`key` and `secret` go together"),
    ],
)
def test_options_go_with_the_place(url: str, access: Access, said: str):
    """An option that would be ignored is an error."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        Location(url, access)
    assert "HIDDEN" not in str(caught.value)


def test_no_secret_is_shown():
    """Neither a repr nor an error of the options holds the secret."""
    options = ObjectRegistry.Options(url="s3://bucket", key="AKIA", secret=SecretStr("HIDDEN"))
    storage = ObjectStorage(Location("s3://bucket", options))
    with pytest.raises(ValidationError) as caught:
        ObjectRegistry.Options(url="ftp://x", key="AKIA", secret=SecretStr("HIDDEN"))
    shown = [repr(options), repr(Location("s3://bucket", options)), repr(storage)]
    assert "HIDDEN" not in " ".join([*shown, str(caught.value), repr(caught.value)])


def test_nothing_is_asked_before_it_is_needed(tmp_path: Path):
    """Reading the config neither makes a folder nor asks a server."""
    url = f"file://{tmp_path}/models"
    registry = ObjectRegistry.from_options(ObjectRegistry.Options(url=url), folder=tmp_path / "c")
    assert list(tmp_path.iterdir()) == []
    assert registry.active() is None
    assert registry.models() == ()


def test_an_object_is_created_once(tmp_path: Path):
    """Whoever comes second is told, and what the first wrote stays."""
    for url in (f"file://{tmp_path}/objects", f"memory://objects/{tmp_path.name}"):
        storage = ObjectStorage(Location(url))
        assert storage.create("a/b", b"first")
        assert not storage.create("a/b", b"second")
        assert storage.read("a/b") == b"first"
        assert storage.names("a") == ("a/b",), "nothing half-written stays behind"


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path):
    """What is on the way is named."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PlatformError, match=f"sending {__file__} to file://{tmp_path}/file/a"):
        ObjectStorage(Location(f"file://{tmp_path}/file")).put("a", Path(__file__))


def test_what_takes_too_long_is_given_up(tmp_path: Path):
    """A storage that hangs, such as a file server that is gone, does not hang a cycle."""
    pipe = tmp_path / "objects" / "pipe"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    storage = ObjectStorage(Location(f"file://{pipe.parent}", Access(timeout=0.05)))
    with pytest.raises(ServerError, match=r"reading file://.*/pipe: no answer within 0.05 s"):
        storage.read("pipe")
    with pipe.open("wb"):  # lets the thread that was left alone end
        pass


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file with one assistant."""
    path = tmp_path / "retrainer.toml"
    path.write_text(f'[assistants.faq.source]\ntype = "directory"\npath = "{tmp_path}"\n')
    return path


def test_records_are_kept_where_the_config_says(tmp_path: Path, config: Path):
    """By default in the state folder, else below a path or a URL, a folder for each assistant."""
    for records, folder in (
        (None, ".retrainer/assistants/faq/records"),
        ("shared", "shared/faq"),
        (f"file://{tmp_path}/url/", "url/faq"),
    ):
        environment = {} if records is None else {"RETRAINER_RECORDS": records}
        application = Application.from_config(config, environment)
        application.artifacts("faq").write("models/one/manifest.json", b"{}")
        assert (tmp_path / folder / "models/one/manifest.json").read_bytes() == b"{}"
        assert isinstance(application.artifacts("faq"), ObjectArtifacts) == (
            records is not None and "://" in records
        )


def test_a_wrong_url_of_records_is_told_with_its_place(config: Path):
    """An error of the configuration names file and key, before anything runs."""
    application = Application.from_config(config, {"RETRAINER_RECORDS": "ftp://host/records"})
    with pytest.raises(ConfigurationError, match=r"retrainer\.toml: records: 'ftp://host"):
        application.require_plugins()


def test_a_wrong_url_of_a_platform_is_told_with_its_place(config: Path):
    """As above, for an option of the platform."""
    with config.open("a") as file:
        file.write('[assistants.faq.platform]\ntype = "object_storage"\nurl = "ftp://host"\n')
    with pytest.raises(
        ConfigurationError, match=r"assistants\.faq\.platform.*no place for objects"
    ):
        Application.from_config(config, {}).require_plugins()


class FakeS3:
    """What s3fs offers for uploads in parts; `uploads` are (key, age in hours)."""

    def __init__(self, **uploads: int) -> None:
        self.uploads = uploads

    def split_path(self, path: str) -> tuple[str, str, None]:
        bucket, _, key = path.partition("/")
        return bucket, key, None

    def call_s3(self, method: str, **given: str) -> dict[str, object]:
        assert (method, given) == (
            "list_multipart_uploads",
            {"Bucket": "bucket", "Prefix": "models/versions/"},
        )
        found = [
            {"Key": key, "UploadId": key, "Initiated": NOW - timedelta(hours=age)}
            for key, age in self.uploads.items()
        ]
        return {"Uploads": found} if found else {}

    def abort_mpu(self, bucket: str, key: str, upload: str) -> None:
        assert (bucket, key) == ("bucket", upload)
        del self.uploads[key]


def test_only_old_uploads_are_given_up():
    """The parts of an upload that is a day old are nobody's; those of a young one are awaited."""
    s3 = FakeS3(old=25, young=1)
    for _ in range(2):
        abort_uploads(NOW - timedelta(days=1))(s3, "bucket/models/versions")
    assert set(s3.uploads) == {"young"}
