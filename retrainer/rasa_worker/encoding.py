"""Files of a project as text."""

from .faults import project_fault

_SUFFIXES = (".yml", ".yaml", ".json")


def require_utf8(paths, show=str):
    """Refuse a file that is not UTF-8, with the line; Rasa names no line, or skips the file."""
    for path in _files(paths):
        content = path.read_bytes()
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise project_fault(
                "not UTF-8: byte 0x{:02x}".format(content[error.start]),
                show(path),
                content.count(b"\n", 0, error.start) + 1,
                tip="save the file as UTF-8",
            ) from None


def _files(paths):
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and file.suffix in _SUFFIXES:
                    yield file
        elif path.is_file():
            yield path
        else:
            raise project_fault("there is no such file or folder", str(path))
