"""Trees that mean harm, or were made without care."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from baton.build import Limits, tree
from baton.build.errors import (
    FileTooBig,
    LeavesTree,
    NotAFile,
    NotText,
    ReservedPath,
    SpecialFile,
    TooBig,
    TooDeep,
    TooManyFiles,
)

from .conftest import Builder, write_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_tree(tmp_path / "outside", {"secret": "secret", "directory/secret": "secret"})
    return write_tree(tmp_path / "tree", {"file": "text", "sub/file": "text"})


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("x", "../outside/secret"),
        ("x", "/etc/passwd"),
        ("x", "x"),
        ("x", "sub/../../outside/secret"),
        ("x", "nowhere"),
    ],
)
def test_a_link_out_of_the_tree_is_never_read(root: Path, link: str, target: str) -> None:
    (root / link).symlink_to(target)
    with pytest.raises(LeavesTree):
        tree.read_text(root, link)
    assert not tree.is_file(root, link)


def test_a_directory_that_is_a_link_out_is_never_entered(root: Path) -> None:
    (root / "d").symlink_to("../outside")
    with pytest.raises(LeavesTree):
        tree.read_text(root, "d/secret")
    assert {entry.name for entry in tree.walk(root, Limits())} == {"file", "sub", "sub/file", "d"}


def test_a_link_inside_of_the_tree_is_followed(root: Path) -> None:
    (root / "link").symlink_to("sub/file")
    assert tree.read_text(root, "link") == "text"
    assert tree.read_text(root, "missing") is None
    assert tree.read_text(root, "file/below") is None


def test_a_pipe_in_the_place_of_a_file_does_not_hang(root: Path) -> None:
    os.mkfifo(root / "Procfile")
    with pytest.raises(NotAFile):
        tree.read_text(root, "Procfile")
    with pytest.raises(SpecialFile, match="named pipe"):
        tree.measure(root, Limits())


def test_sockets_and_devices_are_refused(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s"))
        with pytest.raises(SpecialFile, match="socket"):
            tree.measure(root, Limits())


def test_sizes_and_encodings_are_bounded(root: Path) -> None:
    (root / "big").write_bytes(b"x" * 1001)
    (root / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FileTooBig, match="1,001"):
        tree.read_text(root, "big", 1000)
    with pytest.raises(NotText):
        tree.read_text(root, "binary")
    with pytest.raises(NotAFile):
        tree.read_text(root, "sub")


def test_the_number_the_bytes_and_the_depth_are_bounded(root: Path) -> None:
    with pytest.raises(TooManyFiles, match="2 files"):
        tree.measure(root, Limits(files=2))
    with pytest.raises(TooBig):
        tree.measure(root, Limits(disk=7))
    with pytest.raises(TooDeep):
        tree.measure(root, Limits(depth=0))
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(TooBig):
        tree.measure(root, Limits())


def test_strange_names_are_names(root: Path) -> None:
    (root / "a\nb").write_text("1")
    (root / os.fsdecode(b"\xff")).write_text("2")
    assert tree.measure(root, Limits()) == 10


def test_a_tree_deeper_than_any_path_is_refused_and_can_be_removed(root: Path) -> None:
    here = os.open(root, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("dddd", dir_fd=here)
        below = os.open("dddd", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(TooDeep):
        tree.measure(root, Limits(depth=10_000))
    tree.remove(root)
    assert not root.exists()


def test_removing_follows_no_link(root: Path) -> None:
    (root / "d").symlink_to("../outside")
    tree.remove(root)
    assert (root.parent / "outside" / "secret").exists()


def test_the_platform_writes_into_no_link(root: Path) -> None:
    (root / ".profile.d").symlink_to("../outside")
    with pytest.raises(ReservedPath):
        tree.write(root, ".profile.d/python.sh", b"x")
    (root / "target").symlink_to("../outside/secret")
    tree.write(root, "target", b"new")
    assert (root.parent / "outside" / "secret").read_text() == "secret"
    assert (root / "target").read_bytes() == b"new"


def test_a_sealed_tree_has_no_set_uid_and_nothing_others_may_write(root: Path) -> None:
    (root / "file").chmod(0o6777)
    (root / "sub").chmod(0o777)
    (root / "link").symlink_to("/etc/passwd")
    before = Path("/etc/passwd").stat()
    tree.seal(root, None, Limits())
    assert stat.S_IMODE((root / "file").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "sub").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "sub/file").stat().st_mode) == 0o644
    assert Path("/etc/passwd").stat() == before


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Procfile", "build.leaves-tree"),
        (".slugignore", "build.leaves-tree"),
        (".python-version", "build.leaves-tree"),
        (".heroku", "build.reserved-path"),
    ],
)
def test_a_build_never_follows_a_link_out(builder: Builder, name: str, code: str) -> None:
    from baton.build import BuildError

    request = builder.request({"requirements.txt": ""})
    (request.source / name).symlink_to("/etc/hostname" if name != ".heroku" else "/etc")
    with pytest.raises(BuildError) as caught:
        builder.run(request)
    assert caught.value.code == code
    assert not Path("/etc/python").exists()
    assert not request.directory.exists()
    assert f"({code})" in builder.text
