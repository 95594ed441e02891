"""What code that runs during a build can and can't do."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from baton.build import BuildError, Limits, cage
from baton.build.request import MEGABYTE
from baton.run.cgroups import Cgroup, hierarchy

from .conftest import BUILD_UID, Builder

needs_cgroups = pytest.mark.skipif(hierarchy().version == 0, reason="no cgroups here")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
PACK = {"bin/detect": "#!/bin/sh\necho Probe\n", "bin/compile": "#!/bin/bash\n"}


def probe(builder: Builder, tmp_path: Path, script: str, **changes: object) -> Path:
    """Build with a buildpack that runs `script`; returns the slug's path."""
    pack = tmp_path / "pack"
    for name, body in {**PACK, "bin/compile": "#!/bin/bash\n" + script}.items():
        path = pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
        path.chmod(0o755)
    files = changes.pop("files", {"Procfile": "web: true\n"})
    return builder.build(files, buildpacks=(str(pack),), **changes).path  # type: ignore[arg-type]


def error_of(builder: Builder, tmp_path: Path, script: str, **changes: object) -> BuildError:
    with pytest.raises(BuildError) as caught:
        probe(builder, tmp_path, script, **changes)
    return caught.value


@root_only
def test_it_runs_as_a_user_of_its_own_without_rights(fresh: Builder, tmp_path: Path) -> None:
    script = (
        'cd "$1"; id -u > uid; grep -E "CapBnd|CapEff|NoNewPrivs" /proc/self/status > status; nice > nice\n'
    )
    slug = probe(fresh, tmp_path, script)
    assert (slug / "uid").read_text().strip() == str(BUILD_UID)
    words = (slug / "status").read_text().split()
    assert words == ["CapEff:", "0000000000000000", "CapBnd:", "0000000000000000", "NoNewPrivs:", "1"]
    assert int((slug / "nice").read_text()) == os.nice(0) + 10


def test_it_sees_neither_baton_s_home_nor_other_processes(fresh: Builder, tmp_path: Path) -> None:
    home = fresh.home.root
    script = f'cd "$1"; ls -d {home} /srv /home > seen 2>&1; ls /proc | grep -c "^[0-9]" > count; true\n'
    slug = probe(fresh, tmp_path, script)
    assert (slug / "seen").read_text().count("No such file") == 3
    assert int((slug / "count").read_text()) < 10


def test_config_vars_are_private_files_and_neither_environment_nor_arguments(
    fresh: Builder, tmp_path: Path
) -> None:
    script = (
        'cat "$3/API_TOKEN" > "$1/value"; env > "$1/env"\n'
        'cat /proc/*/cmdline 2>/dev/null | tr "\\0" " " > "$1/argv"\n'
        'echo "the token is $(cat "$3/API_TOKEN")"; stat -c %a "$3" "$3/API_TOKEN" > "$1/modes"\n'
    )
    env = {"API_TOKEN": "s3cret-s3cret", "LD_PRELOAD": "/app/evil.so", "BASH_ENV": "/app/evil.sh"}
    slug = probe(fresh, tmp_path, script, env=env)
    assert (slug / "value").read_text() == "s3cret-s3cret"
    assert "s3cret" not in (slug / "env").read_text() + (slug / "argv").read_text() + fresh.text
    assert "the token is [API_TOKEN]" in fresh.text
    assert (slug / "modes").read_text().split() == ["700", "600"]


@root_only
def test_no_config_var_reaches_a_program_that_still_is_root(fresh: Builder, tmp_path: Path) -> None:
    """A hook sees the config vars; a library that they name would have been loaded on the way there."""
    source = tmp_path / "evil.c"
    source.write_text(
        "#include <stdio.h>\n#include <unistd.h>\n__attribute__((constructor)) static void f(void)"
        '{ FILE *x = fopen("/tmp/evil-was-here", "a");\n'
        ' if (x) { fprintf(x, "%d\\n", getuid()); fclose(x); } }\n'
    )
    library = tmp_path / "evil.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    tmp_path.chmod(0o755)
    marker = Path("/tmp/evil-was-here")
    marker.unlink(missing_ok=True)
    files = {"requirements.txt": "", "bin/pre_compile": '#!/bin/sh\necho "$LD_PRELOAD" > preload\n'}
    slug = fresh.build(files, env={"LD_PRELOAD": str(library), "BASH_ENV": str(library)}).path
    assert not marker.exists()
    assert (slug / "preload").read_text().strip() == ""


@needs_cgroups
def test_too_much_memory_is_said_to_be_that(fresh: Builder, tmp_path: Path) -> None:
    script = "python3 -c 'x = bytearray(400_000_000)'\n"
    error = error_of(fresh, tmp_path, script, limits=Limits(memory=100 * MEGABYTE, reserve=0))
    assert error.code == "build.out-of-memory"
    assert "100 MB" in error.message


@needs_cgroups
def test_too_many_processes_are_refused(fresh: Builder, tmp_path: Path) -> None:
    script = (
        'exec python3 -c \'import subprocess; [subprocess.Popen(["sleep", "30"]) for _ in range(200)]\'\n'
    )
    error = error_of(fresh, tmp_path, script, limits=Limits(processes=40, reserve=0))
    assert error.code == "build.buildpack-failed"
    assert any("temporarily unavailable" in line for line in error.excerpt)


def test_a_build_that_takes_too_long_is_ended_with_all_it_started(fresh: Builder, tmp_path: Path) -> None:
    script = "setsid sleep 7654 & echo started; sleep 7654\n"
    error = error_of(fresh, tmp_path, script, limits=Limits(seconds=1, reserve=0))
    assert error.code == "build.timeout"
    assert not running("7654")
    assert fresh.build_ids
    assert not any(path.exists() for path in Cgroup(cage.cgroup(fresh.build_ids[-1])).directories())


def test_a_cancelled_build_ends_at_once_and_leaves_nothing(fresh: Builder, tmp_path: Path) -> None:
    wanted = threading.Event()
    pack_output = "setsid sleep 8765 & echo started; sleep 8765\n"
    seen = fresh.lines

    def cancelled() -> bool:
        return wanted.is_set() or any("started" in line for line in fresh.lines)

    error = error_of(fresh, tmp_path, pack_output, cancelled=cancelled)
    assert error.code == "build.cancelled"
    assert not running("8765")
    assert seen is not None and not list(fresh.home.builds.glob("*/app"))


def test_output_is_bounded(fresh: Builder, tmp_path: Path) -> None:
    probe(fresh, tmp_path, "yes | head -n 50000; printf 'no end'\n")
    assert 20_000 <= len(fresh.lines) < 20_100
    assert "More than 20,000 lines" in fresh.text


def test_a_link_made_during_the_build_leads_nobody_out(fresh: Builder, tmp_path: Path) -> None:
    script = 'rm -f "$1/Procfile"; ln -s /etc/hostname "$1/Procfile"; ln -s /etc "$1/conf"\n'
    error = error_of(fresh, tmp_path, script)
    assert error.code == "build.leaves-tree"


def test_a_pipe_made_during_the_build_is_refused(fresh: Builder, tmp_path: Path) -> None:
    assert error_of(fresh, tmp_path, 'mkfifo "$1/pipe"\n').code == "build.special-file"


def test_the_operator_s_certificates_and_indexes_reach_the_cage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("x")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://a.example/simple\nextra-index-url =\n  https://b.example\n  https://c.example\n"
    )
    for name in cage.INDEXES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("PIP_INDEX_URL", "https://own.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} https://d.example")
    assert cage.operator_network()["SSL_CERT_FILE"] == str(bundle)
    assert cage.operator_network()["HTTPS_PROXY"] == "http://proxy:3128"
    assert cage.operator_indexes()["UV_INDEX_URL"] == "https://own.example/simple"
    assert cage.operator_indexes()["UV_FIND_LINKS"] == f"{tmp_path},https://d.example"
    assert {str(bundle), str(tmp_path)} <= {mount.source for mount in cage.tools()}
    found = cage.pip_configuration(configuration)
    assert found["PIP_EXTRA_INDEX_URL"] == "https://b.example https://c.example"


@root_only
def test_a_full_disk_is_a_clear_error_and_keeps_nothing(tmp_path: Path) -> None:
    from baton.base.paths import Home
    from baton.build import build

    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(small)], check=True)
    try:
        builder = Builder(Home(small), "abcdefabcdef")
        script = 'head -c 100000000 /dev/zero > "$1/big" || exit 1\n'
        error = error_of(builder, tmp_path, script, limits=Limits(reserve=2 * MEGABYTE))
        assert error.code == "build.disk-full"
        assert list(builder.home.slugs.glob("*")) == []
        assert [path for path in builder.home.builds.iterdir() if path.name != ".locks"] == []
        request = builder.request({"Procfile": "web: true"}, limits=Limits(reserve=100 * MEGABYTE))
        with pytest.raises(BuildError, match="free disk"):
            build(request, lambda line: None, lambda: False)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_the_slug_belongs_to_the_app_s_user_and_says_what_it_needs(fresh: Builder, tmp_path: Path) -> None:
    slug = probe(fresh, tmp_path, 'echo x > "$1/made"; chmod 777 "$1/made"\n')
    info = (slug / "made").stat()
    if os.geteuid() == 0:
        assert info.st_uid == BUILD_UID - 1  # type: ignore[operator]
    assert info.st_mode & 0o022 == 0
    manifest = slug.with_name(f"{slug.name}.json")
    assert json.loads(manifest.read_text()) == {"mounts": []}


def running(argument: str) -> bool:
    """Whether a process with that argument is there within a moment; gone ones may take that long."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(argument in command.split() for command in commands()):
            return False
        time.sleep(0.05)
    return True


def commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
