"""What is looked at before Rasa unpacks an archive."""

import gzip
import random
import tarfile
from pathlib import Path

import pytest
from support.archives import member, write_archive

from retrainer.adapters.model_archive import (
    FREE_SIZE,
    MAXIMUM_MEMBERS,
    MAXIMUM_SIZE,
    read_metadata,
    require_safe_archive,
)
from retrainer.errors import ModelArchiveError


def test_accepts_what_rasa_writes(tmp_path: Path):
    """An archive made as Rasa makes it, its root folder an unnamed member, is a model."""
    folder = tmp_path / "model"
    (folder / "components" / "nlu").mkdir(parents=True)
    (folder / "components" / "nlu" / "weights").write_bytes(random.Random(1).randbytes(100_000))
    (folder / "metadata.json").write_text('{"model_id": "m"}')
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname="")
    assert read_metadata(tmp_path / "model.tar.gz") == {"model_id": "m"}


def test_accepts_a_link_to_its_own_inside(tmp_path: Path):
    """A link that stays inside the folder is no danger."""
    link = member("latest", type=tarfile.SYMTYPE, linkname="components/nlu")
    require_safe_archive(write_archive(tmp_path / "m.tar.gz", [link]))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (member("/etc/passwd"), "outside"),
        (member("../../evil"), "outside"),
        (member("components/../../evil"), "outside"),
        (member("l", type=tarfile.SYMTYPE, linkname="/etc"), "'l' -> '/etc'"),
        (member("l", type=tarfile.SYMTYPE, linkname="a/../../b"), "outside"),
        (member("l", type=tarfile.LNKTYPE, linkname="../secret"), "outside"),
        (member("l", type=tarfile.CHRTYPE), "device"),
        (member("l", type=tarfile.BLKTYPE), "device"),
        (member("l", type=tarfile.FIFOTYPE), "pipe"),
    ],
)
def test_refuses_what_leads_outside(tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes], says: str):
    """No member may be written or lead outside the folder that Rasa unpacks into."""
    with pytest.raises(ModelArchiveError, match="not safe to unpack") as refused:
        require_safe_archive(write_archive(tmp_path / "m.tar.gz", [bad]))
    assert says in refused.value.message


def test_refuses_every_truncation(tmp_path: Path):
    """However much of an archive is missing at its end, it is noticed."""
    content = random.Random(1).randbytes(20_000)
    whole = write_archive(tmp_path / "m.tar.gz", [member("weights", content)]).read_bytes()
    cut = tmp_path / "cut.tar.gz"
    for length in [*range(0, len(whole), 251), *range(len(whole) - 40, len(whole))]:
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelArchiveError):
            require_safe_archive(cut)


def test_refuses_damage(tmp_path: Path):
    """A flipped bit anywhere behind the gzip header is noticed."""
    draw = random.Random(2)
    whole = write_archive(tmp_path / "m.tar.gz", [member("weights", draw.randbytes(5_000))])
    damaged = tmp_path / "damaged.tar.gz"
    for _ in range(150):
        content = bytearray(whole.read_bytes())
        content[draw.randrange(20, len(content))] ^= 1 << draw.randrange(8)
        damaged.write_bytes(content)
        with pytest.raises(ModelArchiveError):
            require_safe_archive(damaged)


def test_refuses_a_damaged_header(tmp_path: Path):
    """A header that tarfile takes for the end of the archive hides nothing that follows it."""
    path = write_archive(tmp_path / "m.tar.gz", [member("first", b"1"), member("/evil", b"2")])
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[content.index(b"/evil")] = ord("?")
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ModelArchiveError, match="damaged at byte"):
        require_safe_archive(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"not an archive", gzip.compress(b"not a tar" * 200)],
    ids=["empty", "no gzip", "no tar"],
)
def test_refuses_what_is_no_archive(tmp_path: Path, content: bytes):
    """A file of another kind is named as such."""
    path = tmp_path / "m.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ModelArchiveError, match=f"{len(content)} bytes"):
        require_safe_archive(path)


def test_refuses_what_is_not_there(tmp_path: Path):
    """A missing archive is an error of its own kind, not of the operating system."""
    with pytest.raises(ModelArchiveError, match="is not a file"):
        require_safe_archive(tmp_path / "none.tar.gz")


def test_refuses_a_bomb_before_unpacking_it(tmp_path: Path):
    """What would fill the disk is refused by its header, with the size and the limit."""
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(member("big", size=MAXIMUM_SIZE + 1)[0].tobuf() + bytes(10_000)))
    with pytest.raises(ModelArchiveError, match=f"{MAXIMUM_SIZE + 1} bytes.*{FREE_SIZE}"):
        require_safe_archive(path)


def test_refuses_a_header_that_would_fill_the_memory(tmp_path: Path):
    """An extended header is read into memory as a whole, so its size is limited."""
    header = member("x", type=tarfile.XHDTYPE, size=10**9)[0].tobuf(format=tarfile.USTAR_FORMAT)
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(header + bytes(10_000)))
    with pytest.raises(ModelArchiveError, match="header of 10"):
        require_safe_archive(path)


def test_refuses_too_many_members(tmp_path: Path):
    """Members cost memory even when they are empty."""
    header = member("d", type=tarfile.DIRTYPE)[0].tobuf()
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(header * (MAXIMUM_MEMBERS + 1) + bytes(1024), 1))
    with pytest.raises(ModelArchiveError, match=f"more than {MAXIMUM_MEMBERS} members"):
        require_safe_archive(path)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([member("fingerprint.json", b"{}")], "holds no metadata.json"),
        ([member("metadata.json", b"{")], "not JSON"),
        ([member("metadata.json", b"\xff")], "not JSON"),
        ([member("metadata.json", b"[1]")], "holds a list"),
        ([member("metadata.json", b"[" * 100_000)], "not JSON"),
        ([member("metadata.json", type=tarfile.DIRTYPE)], "is not a file"),
    ],
)
def test_refuses_what_is_no_model(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], says: str
):
    """A tar archive without Rasa's metadata is not a model."""
    path = tmp_path / "m.tar.gz"
    content = b"".join(
        info.tobuf() + data.ljust(-len(data) // 512 * -512, b"\0") for info, data in members
    )
    path.write_bytes(gzip.compress(content + bytes(10_240)))
    with pytest.raises(ModelArchiveError, match=says):
        require_safe_archive(path)
