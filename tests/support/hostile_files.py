"""Files as somebody makes them who wants to read, fill or halt the machine; each made for real."""

import gzip
import io
import os
import socket
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.archives import METADATA, member

MB = 1000**2
Member = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True)
class Hostile:
    """A hostile file: how to make it below a folder, and what the refusal has to say (a pattern)."""

    make: Callable[[Path], Path]
    says: str

    @property
    def name(self) -> str:
        """As a test is called by."""
        return self.make.__name__.removeprefix("_")


def tar_gz(path: Path, *members: Member, end: bytes = bytes(1024), level: int = 1) -> Path:
    """A gzipped tar archive, with Rasa's metadata first; names are written as they are."""
    with gzip.open(path, "wb", level) as stream:
        for info, content in (member("metadata.json", METADATA), *members):
            stream.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
            stream.write(content + bytes(-len(content) % 512))
        stream.write(end)
    return path


# --- model archives ------------------------------------------------------------------------------


def named(name: str, says: str) -> Hostile:
    """An archive with a member of this name."""

    def make(folder: Path) -> Path:
        return tar_gz(folder / "model.tar.gz", member(name, b"x"))

    make.__name__ = f"named {name!r}"
    return Hostile(make, says)


def linked(kind: bytes, target: str) -> Hostile:
    """An archive with a link that leads to the target, and a file to be written through it."""

    def make(folder: Path) -> Path:
        link = member("components", type=kind, linkname=target)
        return tar_gz(folder / "model.tar.gz", link, member("components/x", b"x"))

    make.__name__ = f"{'symbolic' if kind == tarfile.SYMTYPE else 'hard'} link to {target}"
    return Hostile(make, "points outside its folder")


def special(kind: bytes, name: str) -> Hostile:
    """An archive with a device or a pipe."""

    def make(folder: Path) -> Path:
        return tar_gz(folder / "model.tar.gz", member("device", type=kind, devmajor=1, devminor=5))

    make.__name__ = name
    return Hostile(make, "is a device, a pipe")


def pax_name_with_nul(folder: Path) -> Path:
    """A name that ends in one place for C and in another for Python."""
    record = b"path=good\0/../../evil\n"
    length = len(record) + 3
    content = f"{length} ".encode() + record
    header = member("x", content, type=tarfile.XHDTYPE)
    return tar_gz(folder / "model.tar.gz", header, member("good", b"x"))


def bomb_by_size(folder: Path) -> Path:
    """A header that announces 100 TB."""
    return tar_gz(folder / "model.tar.gz", member("big", size=10**14), end=bytes(10_000))


def bomb_by_content(folder: Path, *, megabytes: int = 400) -> Path:
    """So many zeros for real, packed to a thousandth; behind the end, where no header says it."""
    path = folder / "model.tar.gz"
    piece = gzip.compress(bytes(10 * MB), 9)
    tar_gz(path)
    with path.open("ab") as file:
        for _ in range(megabytes // 10):
            file.write(piece)
    return path


def many_members(folder: Path) -> Path:
    """A hundred thousand empty files."""
    header = member("d", type=tarfile.DIRTYPE)[0].tobuf()
    return tar_gz(folder / "model.tar.gz", end=header * 100_000 + bytes(1024))


def many_headers(folder: Path) -> Path:
    """Extended headers, each announcing the next; `tarfile` calls itself for each."""
    header, content = member("x", b"evil\0", type=tarfile.GNUTYPE_LONGNAME)
    block = header.tobuf() + content.ljust(512, b"\0")
    return tar_gz(folder / "model.tar.gz", end=block * 20_000 + bytes(1024))


def large_headers(folder: Path) -> Path:
    """Many extended headers that are just small enough, all held in memory."""
    record = b"10000000 comment=" + b"x" * (10_000_000 - 18) + b"\n"
    members = (member("x", record, type=tarfile.XHDTYPE), member("f"))
    return tar_gz(folder / "model.tar.gz", *members * 10)


def endless_sparse_map(folder: Path) -> Path:
    """A sparse file with a hundred million holes, whose map is held in memory."""
    record = "".join(
        f"{len(r) + 3} {r}"
        for r in ("GNU.sparse.major=1\n", "GNU.sparse.minor=0\n", "GNU.sparse.name=f\n")
    ).encode()
    content = b"100000000\n" + b"7\n" * (10 * MB)
    members = (member("x", record, type=tarfile.XHDTYPE), member("f", content))
    return tar_gz(folder / "model.tar.gz", *members)


def negative_size(folder: Path) -> Path:
    """A size below zero, which leads back to the same header again and again."""
    header = bytearray(member("f")[0].tobuf())
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -1024)
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header)
    return tar_gz(folder / "model.tar.gz", end=bytes(header) + bytes(1024))


MODEL_ARCHIVES = (
    named("../evil", "points outside its folder"),
    named("a/../../evil", "points outside its folder"),
    named("/etc/cron.d/evil", "points outside its folder"),
    named("..\\evil", "means another place on some systems"),
    named("C:evil", "means another place on some systems"),
    named("a\x1b]0;evil", "means another place on some systems"),
    linked(tarfile.SYMTYPE, "/etc"),
    linked(tarfile.SYMTYPE, "../.."),
    linked(tarfile.LNKTYPE, "/etc/passwd"),
    special(tarfile.CHRTYPE, "device of characters"),
    special(tarfile.BLKTYPE, "device of blocks"),
    special(tarfile.FIFOTYPE, "pipe"),
    Hostile(pax_name_with_nul, "means another place|points outside|not a whole"),
    Hostile(bomb_by_size, r"10{11}\d{3} bytes or more once unpacked, at most 250000000"),
    Hostile(bomb_by_content, "bytes or more once unpacked, at most 250000000 may be"),
    Hostile(many_members, "more than 10000 members"),
    Hostile(many_headers, "not a whole gzipped tar archive"),
    Hostile(large_headers, "more than 32000000 bytes of headers"),
    Hostile(endless_sparse_map, "a sparse file, which no model needs"),
    Hostile(negative_size, "not a whole gzipped tar|more than|points"),
)


# --- zip files -----------------------------------------------------------------------------------


def _zip(path: Path, *names: str, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", METADATA)
        for name in names:
            archive.writestr(name, content)
    return path


def zip_with_traversal(folder: Path) -> Path:
    """A member above the folder."""
    return _zip(folder / "model.zip", "../../evil")


def zip_bomb(folder: Path) -> Path:
    """Half a gigabyte of zeros in half a megabyte."""
    path = folder / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", METADATA)
        for number in range(1):
            with archive.open(f"zeros-{number}", "w", force_zip64=True) as file:
                for _ in range(50):
                    file.write(bytes(10 * MB))
    return path


def zip_that_lies(folder: Path) -> Path:
    """A member that announces ten bytes and holds a hundred megabytes."""
    path = _zip(folder / "model.zip", "zeros", content=bytes(100 * MB))
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 100 * MB), struct.pack("<I", 10)))
    return path


def zip_of_many(folder: Path) -> Path:
    """A list of members that is larger than all of them."""
    path = folder / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(zipfile.ZipInfo(f"{'n' * 300}-{number}"), b"")
    return path


def zip_with_a_broken_name(folder: Path) -> Path:
    """A name that is announced as UTF-8 and is none."""
    path = _zip(folder / "model.zip", "näme")
    path.write_bytes(path.read_bytes().replace("näme".encode(), b"n\xff\xfeme"))
    return path


ZIP_FILES = (
    Hostile(zip_with_traversal, "points outside its folder"),
    Hostile(zip_bomb, "files of 5000000.. bytes, at most 10000 files of 250000000"),
    Hostile(zip_that_lies, "not a whole zip file"),
    Hostile(zip_of_many, "list of members of .* bytes, at most 4000000"),
    Hostile(zip_with_a_broken_name, "not a whole zip file"),
)


# --- folders -------------------------------------------------------------------------------------


def pipe(folder: Path) -> Path:
    """A pipe that nobody ever writes to."""
    os.mkfifo(folder / "data" / "pipe.yml")
    return folder / "data" / "pipe.yml"


def listening_socket(folder: Path) -> Path:
    """The socket of a program."""
    here = Path.cwd()
    os.chdir(folder / "data")  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.yml")
    os.chdir(here)
    return folder / "data" / "socket.yml"


def link_to_a_secret(folder: Path) -> Path:
    """A link to a file of this machine."""
    (folder / "data" / "link.yml").symlink_to("/etc/passwd")
    return folder / "data" / "link.yml"


def link_to_the_environment(folder: Path) -> Path:
    """A link to the secrets that the service got by its environment."""
    (folder / "data" / "link.yml").symlink_to("/proc/self/environ")
    return folder / "data" / "link.yml"


def link_to_a_folder(folder: Path) -> Path:
    """A link to a folder of this machine, two links away."""
    (folder / "data" / "first").symlink_to("../second")
    (folder / "second").symlink_to("/etc/ssl")
    return folder / "data" / "first"


def link_to_endless_zeros(folder: Path) -> Path:
    """A link to a device that never ends."""
    (folder / "data" / "zeros.yml").symlink_to("/dev/zero")
    return folder / "data" / "zeros.yml"


def large_file(folder: Path) -> Path:
    """A terabyte that takes no place on the disk."""
    path = folder / "data" / "large.yml"
    with path.open("wb") as file:
        file.truncate(10**12)
    return path


def large_files(folder: Path) -> Path:
    """Many files that are just small enough."""
    for number in range(10):
        with (folder / "data" / f"large-{number}.yml").open("wb") as file:
            file.truncate(250 * MB)
    return folder / "data"


def many_files(folder: Path) -> Path:
    """More files than anybody annotates."""
    (folder / "data" / "many").mkdir()
    for number in range(20_001):
        (folder / "data" / "many" / f"{number}.yml").touch()
    return folder / "data" / "many"


def deep_folders(folder: Path) -> Path:
    """Folders below each other; more of them, and a program that calls itself for each would end."""
    here = Path.cwd()
    os.chdir(folder / "data")
    for _ in range(120):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(here)
    return folder / "data"


def doubling_links(folder: Path) -> Path:
    """Forty folders, each with two links to the next: a million million names."""
    for number in range(40):
        (folder / "data" / f"{number}").mkdir()
        for way in "ab":
            (folder / "data" / f"{number}" / way).symlink_to(f"../{number + 1}")
    (folder / "data" / "40").mkdir()
    return folder / "data"


FOLDERS = (
    Hostile(pipe, r"pipe\.yml is not an ordinary file"),
    Hostile(listening_socket, r"socket\.yml is not an ordinary file"),
    Hostile(link_to_a_secret, r"link\.yml is a link that leads out of the project, to /etc/passwd"),
    Hostile(link_to_the_environment, r"link\.yml is a link that leads out of the project"),
    Hostile(link_to_a_folder, r"first is a link that leads out of the project, to /etc/ssl"),
    Hostile(link_to_endless_zeros, r"zeros\.yml is (not an ordinary file|a link that leads out)"),
    Hostile(large_file, r"large\.yml: 1000000000000 bytes or more, at most 256000000"),
    Hostile(large_files, "more than 2000000000 bytes"),
    Hostile(many_files, "more than 20000 files"),
    Hostile(deep_folders, "more than 50 folders deep"),
    Hostile(doubling_links, "more than 100 ways, by links, to"),
)


# --- text ----------------------------------------------------------------------------------------


def gzipped_zeros(megabytes: int) -> bytes:
    """An answer of a server that unpacks to so many megabytes."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, packed) as stream:
        for _ in range(megabytes):
            stream.write(bytes(MB))
    return packed.getvalue()
