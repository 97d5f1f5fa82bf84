"""Telling pointers of Git LFS from data."""

from pathlib import Path

import pytest

from retrainer.adapters.git.lfs import pointers_below

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"


@pytest.mark.parametrize("version", ["git-lfs.github.com", "hawser.github.com"])
@pytest.mark.parametrize("more", ["", f"ext-0-foo sha256:{OID}\n"])
def test_pointers_are_found(tmp_path: Path, version: str, more: str):
    """Of both names of the format, in any folder, with extensions or without."""
    file = tmp_path / "data" / "nlu.yml"
    file.parent.mkdir()
    file.write_text(f"version https://{version}/spec/v1\n{more}oid sha256:{OID}\nsize 12345\n")
    (pointer,) = pointers_below(tmp_path)
    assert (pointer.file, pointer.oid) == (file, OID)


@pytest.mark.parametrize(
    "text",
    [
        "nlu: []\n",
        "",
        f"version https://git-lfs.github.com/spec/v2\noid sha256:{OID}\nsize 1\n",
        f"# see\nversion https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 1\n",
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 1\n" + "x" * 2000,
    ],
)
def test_data_is_data(tmp_path: Path, text: str):
    """What only speaks of pointers is none."""
    (tmp_path / "nlu.yml").write_text(text)
    assert pointers_below(tmp_path) == ()
