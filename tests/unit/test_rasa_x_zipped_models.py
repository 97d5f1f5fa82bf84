"""Models as zip files, for the Platform of 2018."""

import tarfile
import zipfile
from pathlib import Path

import pytest
from support.archives import member, write_archive, write_rasa_model

from retrainer.adapters.rasa_x import zipped_models
from retrainer.adapters.rasa_x.zipped_models import contents, unzip_archive, zip_archive
from retrainer.errors import ModelArchiveError


def test_there_and_back_keeps_every_file(tmp_path: Path):
    """What comes back has the same files, and is the same archive each time."""
    _, archive = write_rasa_model(tmp_path, "one", b"weights" * 1000)
    zip_archive(archive, tmp_path / "one.zip")
    for name in ("first", "second"):
        unzip_archive(tmp_path / "one.zip", tmp_path / name)
    assert contents(tmp_path / "first") == contents(archive)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    with tarfile.open(tmp_path / "first") as copy:
        assert copy.getnames() == ["metadata.json", "components/weights"]


def test_other_files_have_another_digest(tmp_path: Path):
    """One changed byte, or another name, is another content."""
    archives = [
        write_archive(tmp_path / f"{number}.tar.gz", [member(name, content)])
        for number, (name, content) in enumerate([("a", b"1"), ("a", b"2"), ("b", b"1")])
    ]
    assert len({contents(archive) for archive in archives}) == 3


def test_a_link_cannot_be_zipped(tmp_path: Path):
    """A zip file of 2018 holds plain files only: the model is refused, not changed."""
    link = member("alias", type=tarfile.SYMTYPE, linkname="metadata.json")
    archive = write_archive(tmp_path / "one.tar.gz", [link])
    with pytest.raises(ModelArchiveError, match="link 'alias'"):
        zip_archive(archive, tmp_path / "one.zip")


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


def test_a_zip_file_is_not_trusted(tmp_path: Path):
    """What leads outside, is no model or is cut off is refused before Rasa gets to see it."""
    whole = zipped(tmp_path / "whole.zip", **{"metadata.json": b"{}", "weights": b"x" * 9000})
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole.read_bytes()[:-30])
    damaged = tmp_path / "damaged.zip"
    content = bytearray(whole.read_bytes())
    content[5000] ^= 0xFF
    damaged.write_bytes(content)
    for path in (
        zipped(tmp_path / "outside.zip", **{"metadata.json": b"{}", "../outside": b"x"}),
        zipped(tmp_path / "no-model.zip", readme=b"x"),
        cut,
        damaged,
    ):
        with pytest.raises(ModelArchiveError):
            unzip_archive(path, tmp_path / "copy.tar.gz")
    unzip_archive(whole, tmp_path / "copy.tar.gz")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path):
    """A file that says how large it gets is believed before a byte of it is written."""
    bomb = zipped(tmp_path / "bomb.zip", **{"metadata.json": b"{}"})
    content = bytearray(bomb.read_bytes())
    place = content.index(b"PK\1\2") + 24  # the uncompressed size in the central directory
    content[place : place + 4] = (0xFFFFFFFE).to_bytes(4, "little")
    bomb.write_bytes(content)
    with pytest.raises(ModelArchiveError):
        unzip_archive(bomb, tmp_path / "copy.tar.gz")
    many = zipped(
        tmp_path / "many.zip", **{str(n): b"" for n in range(zipped_models.MAXIMUM_MEMBERS + 1)}
    )
    with pytest.raises(ModelArchiveError, match="10001 files"):
        unzip_archive(many, tmp_path / "copy.tar.gz")
