"""heroku/python with real uv, real packages and real Django."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from baton.build import BuildError, Keep, Slug, collect, interpreters
from baton.build.cage import cgroup
from baton.run.cgroups import Cgroup
from baton.run.sandbox import Sandbox

from .conftest import APP_UID, BUILD_UID, DJANGO, Builder, write_tree
from .test_dependencies import wait_for

pytestmark = pytest.mark.slow
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
SETUP = "setup(name='mylib', version='1', py_modules=['mylib'])\n"
SMALL = {"requirements.txt": "sqlparse==0.5.3\n", ".python-version": "3.11\n", "Procfile": "web: true\n"}


def inside(slug: Slug, *command: str) -> str:
    """What a command prints in a dyno's view of the slug."""
    scratch = slug.path.parent / f"dyno-{uuid.uuid4().hex}"
    box = Sandbox(slug.path, mounts=slug.mounts, overlay=scratch, uid=APP_UID, gid=APP_UID)
    box.prepare()
    script = 'for file in .profile.d/*.sh; do . "$file"; done; exec "$@"'
    argv = box.argv(["/bin/bash", "-c", script, "bash", *command])
    env = {"PATH": "/usr/bin:/bin", "HOME": "/app", "LISTEN_FDS": "2"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)
    shutil.rmtree(scratch, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def code_of(builder: Builder, files: dict[str, str], **changes: object) -> BuildError:
    with pytest.raises(BuildError) as caught:
        builder.build(files, **changes)  # type: ignore[arg-type]
    assert f"({caught.value.code})" in builder.text
    assert not list(builder.home.builds.glob("*/app"))
    return caught.value


def test_a_django_project_becomes_a_slug_that_runs(builder: Builder) -> None:
    slug = builder.build(DJANGO)
    assert slug.buildpacks == ("heroku/python",)
    assert slug.provided == "Python"
    assert slug.process_types == {"web": "gunicorn mysite.wsgi", "release": "python manage.py migrate"}
    assert "       Procfile declares types -> release, web" in builder.lines
    assert "       1 static file copied to '/app/staticfiles', 1 post-processed." in builder.lines
    assert slug.static is not None
    assert (slug.static.url, slug.static.directory, len(slug.static.hashed)) == ("/static/", "staticfiles", 1)
    hashed = slug.path / "staticfiles" / slug.static.hashed[0]
    assert all(Path(f"{hashed}{suffix}").exists() for suffix in (".br", ".gz", ".zst"))
    assert inside(slug, "python", "-c", "import django; print(django.__file__)").startswith(
        "/app/.heroku/python/lib/"
    )
    assert inside(slug, "gunicorn", "--check-config", "mysite.wsgi") == ""
    assert inside(slug, "sh", "-c", "echo $WEB_CONCURRENCY $PYTHONUNBUFFERED $PYTHONPATH") == "2 1 /app"


def test_a_push_that_changes_no_dependency_installs_and_copies_nothing(builder: Builder) -> None:
    first = builder.build(DJANGO)
    second = builder.build({**DJANGO, "mysite/urls.py": "urlpatterns = []  # changed\n"})
    assert "-----> Using cached install of the dependencies in requirements.txt" in builder.lines
    assert second.mounts == first.mounts
    assert not any("Installed" in line for line in builder.lines)


def test_all_code_is_compiled_ahead(builder: Builder) -> None:
    slug = builder.build(DJANGO)
    script = (
        "import sys, importlib.util, mysite.urls, django.db.models\n"
        "for module in (mysite.urls, django.db.models):\n"
        "    flags = open(module.__spec__.cached, 'rb').read(8)[4:]\n"
        "    print(int.from_bytes(flags, 'little'))\n"
    )
    assert inside(slug, "python", "-B", "-c", script).split() == ["3", "1"]


def test_a_source_that_changes_after_the_build_is_not_run_from_old_bytecode(builder: Builder) -> None:
    slug = builder.build(DJANGO)
    script = "echo 'print(\"new\")' > mysite/urls.py && python -c 'import mysite.urls'"
    assert inside(slug, "sh", "-c", script) == "new"


def test_gunicorn_and_nothing_else_learns_that_sockets_are_its_own(builder: Builder) -> None:
    code = "import os\nprint(os.environ.get('LISTEN_PID') == str(os.getpid()))\n"
    slug = builder.build({**DJANGO, "probe/gunicorn": code, "probe/other": code})
    assert inside(slug, "python", "probe/gunicorn") == "True"
    assert inside(slug, "python", "probe/other") == "False"


def test_trees_are_root_s_and_nobody_else_may_write_them(builder: Builder) -> None:
    tree = Path(builder.build(DJANGO).mounts[0].source)
    assert tree.parent == builder.home.deps
    infos = [path.lstat() for path in (tree, *tree.rglob("*")) if not path.is_symlink()]
    assert {info.st_uid for info in infos} == {os.geteuid()}
    assert not any(info.st_mode & 0o022 for info in infos)


def test_another_app_gets_a_tree_of_its_own_unless_all_is_pinned(builder: Builder, tmp_path: Path) -> None:
    other = builder.other_app()
    assert builder.build(SMALL).mounts != other.build(SMALL).mounts
    source = write_tree(tmp_path, {"in.txt": "sqlparse==0.5.3\n"})
    compiled = subprocess.run(
        [UV, "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "in.txt"],
        cwd=source,
        capture_output=True,
        text=True,
        check=True,
    )
    pinned = {**SMALL, "requirements.txt": compiled.stdout}
    first, second = builder.build(pinned), other.build(pinned)
    assert first.mounts == second.mounts
    assert "-----> Using cached install of the dependencies in requirements.txt" in other.lines


def test_a_wrong_hash_is_refused(builder: Builder) -> None:
    wrong = f"sqlparse==0.5.3 --hash=sha256:{'0' * 64}\n"
    error = code_of(builder, {**SMALL, "requirements.txt": wrong})
    assert error.code == "build.dependencies-failed"
    assert any("hash" in line.lower() for line in error.excerpt)


def test_a_requirement_that_does_not_exist_is_named(builder: Builder) -> None:
    error = code_of(builder, {**SMALL, "requirements.txt": "no-such-package-8fd3a1c0\n"})
    assert error.code == "build.requirement-not-found"
    assert any("no-such-package-8fd3a1c0" in line for line in error.excerpt)


def test_a_package_of_the_tree_is_installed_anew_when_it_changes(builder: Builder) -> None:
    files = {
        **SMALL,
        "requirements.txt": "./lib\n",
        "lib/setup.py": "from setuptools import setup\n" + SETUP,
        "lib/mylib.py": "VALUE = 1\n",
    }
    print_value = ("python", "-c", "import mylib; print(mylib.VALUE)")
    assert inside(builder.build(files), *print_value) == "1"
    assert inside(builder.build({**files, "lib/mylib.py": "VALUE = 2\n"}), *print_value) == "2"
    builder.build({**files, "lib/mylib.py": "VALUE = 2\n", "other.txt": "x"})
    assert "-----> Using cached install of the dependencies in requirements.txt" in builder.lines


def test_another_interpreter_than_the_distribution_s_is_mounted(builder: Builder) -> None:
    others = [
        one for one in interpreters.installed(builder.home) if not one.distribution and one.version[1] > 9
    ]
    if not others:
        pytest.skip("this machine has one Python only")
    version = str(others[-1])
    slug = builder.build({**SMALL, ".python-version": version})
    assert inside(slug, "python", "-c", "import sys, sqlparse; print(sys.version.split()[0])") == version
    assert f"-----> Using Python {version} specified in .python-version" in builder.lines


def test_a_python_that_is_not_there_is_refused_with_those_that_are(builder: Builder) -> None:
    error = code_of(builder, {**SMALL, ".python-version": "3.99"})
    assert error.code == "build.python-version-missing"
    assert all(
        version in error.message for version in interpreters.versions(interpreters.installed(builder.home))
    )


def test_runtime_txt_is_accepted_with_a_notice(builder: Builder) -> None:
    files = {name: content for name, content in SMALL.items() if name != ".python-version"}
    builder.build({**files, "runtime.txt": "python-3.11\n"})
    assert any("runtime.txt is deprecated" in line for line in builder.lines)


def test_a_uv_lock_is_synced_and_a_stale_one_refused(builder: Builder, tmp_path: Path) -> None:
    project = (
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["sqlparse"]\n'
    )
    root = write_tree(
        tmp_path, {"pyproject.toml": project, ".python-version": "3.11\n", "Procfile": "web: true\n"}
    )
    subprocess.run(
        [UV, "lock", "--quiet", "--python", sys.executable], cwd=root, check=True, capture_output=True
    )
    slug = builder.build(root)
    assert inside(slug, "python", "-c", "import sqlparse; print('ok')") == "ok"
    (root / "pyproject.toml").write_text(project.replace("sqlparse", "sqlparse>0.5.3"))
    with pytest.raises(BuildError) as caught:
        builder.build(root)
    assert caught.value.code == "build.stale-lock"
    assert "uv lock" in caught.value.hint


def test_a_pipfile_lock_is_installed(builder: Builder) -> None:
    lock = {"_meta": {}, "default": {"sqlparse": {"version": "==0.5.3"}}, "develop": {}}
    files = {".python-version": "3.11", "Procfile": "web: true", "Pipfile.lock": json.dumps(lock)}
    slug = builder.build(files)
    assert inside(slug, "python", "-c", "import sqlparse; print(sqlparse.__version__)") == "0.5.3"


def test_a_poetry_lock_is_exported_and_installed(builder: Builder, tmp_path: Path) -> None:
    project = (
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\n'
        '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\nmylib = { path = "lib" }\n'
    )
    files = {
        "pyproject.toml": project,
        ".python-version": "3.11",
        "Procfile": "web: true",
        "lib/pyproject.toml": (
            '[project]\nname = "mylib"\nversion = "1"\n[tool.setuptools]\npy-modules = ["mylib"]\n'
        ),
        "lib/mylib.py": "VALUE = 5\n",
    }
    root = write_tree(tmp_path, files)
    poetry = [UV, "tool", "run", "--quiet", "poetry", "lock"]
    subprocess.run(poetry, cwd=root, check=True, capture_output=True)
    slug = builder.build(root)
    assert inside(slug, "python", "-c", "import mylib; print(mylib.VALUE)") == "5"
    (root / "pyproject.toml").write_text(project + 'sqlparse = "*"\n')
    with pytest.raises(BuildError) as caught:
        builder.build(root)
    assert caught.value.code == "build.stale-lock"


def test_hooks_run_with_python_and_the_config_vars(builder: Builder) -> None:
    files = {
        **SMALL,
        "bin/pre_compile": "#!/bin/sh\necho sqlparse==0.5.2 > requirements.txt\n",
        "bin/post_compile": (
            '#!/bin/sh\necho "token $TOKEN"\n'
            'python -c "import sqlparse; print(sqlparse.__version__)" > version\n'
        ),
    }
    slug = builder.build(files, env={"TOKEN": "abcdefghijkl"})
    assert (slug.path / "version").read_text().strip() == "0.5.2"
    assert "       token [TOKEN]" in builder.lines
    error = code_of(builder, {**files, "bin/post_compile": "#!/bin/sh\necho because; exit 3\n"})
    assert error.code == "build.hook-failed"
    assert "bin/post_compile" in error.message and "because" in error.excerpt


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (
            {"mysite/settings.py": "import os\nSECRET_KEY = os.environ['DJANGO_SECRET_KEY']\n"},
            "config:set DJANGO_SECRET_KEY=",
        ),
        ({"mysite/settings.py": "import nosuchmodule\n"}, "'nosuchmodule'"),
        (
            {
                "mysite/settings.py": (
                    "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.staticfiles']\n"
                    "STATIC_URL = 'static/'\nSTATICFILES_DIRS = ['assets']\n"
                )
            },
            "STATIC_ROOT = ",
        ),
        ({"assets/site.css": "body { background: url('missing.png') }"}, "missing.png"),
    ],
)
def test_a_failing_collectstatic_refuses_the_push_and_says_what_to_do(
    builder: Builder, change: dict[str, str], hint: str
) -> None:
    error = code_of(builder, {**DJANGO, **change})
    assert error.code == "build.collectstatic-failed"
    assert hint in error.hint
    assert any(line.startswith("Traceback") for line in error.excerpt) or len(error.excerpt) == 15


def test_collectstatic_can_be_disabled_and_left_to_a_hook(builder: Builder) -> None:
    hook = {"bin/post_compile": "#!/bin/sh\npython manage.py collectstatic --noinput\n"}
    disabled = builder.build(DJANGO, env={"DISABLE_COLLECTSTATIC": "1"})
    assert disabled.static is None and not (disabled.path / "staticfiles").exists()
    left = builder.build({**DJANGO, **hook})
    assert left.static is not None and len(left.static.hashed) == 1
    assert sum("static file copied" in line for line in builder.lines) == 1
    both = builder.build({**DJANGO, **hook}, env={"DISABLE_COLLECTSTATIC": "1"})
    assert both.static == left.static


def test_a_project_without_static_files_app_is_no_failure(builder: Builder) -> None:
    settings = "SECRET_KEY = 'x'\nINSTALLED_APPS = []\nROOT_URLCONF = 'mysite.urls'\n"
    assert builder.build({**DJANGO, "mysite/settings.py": settings}).static is None
    assert any("not in INSTALLED_APPS" in line for line in builder.lines)


def test_without_procfile_gunicorn_serves_the_project(builder: Builder) -> None:
    files = {name: content for name, content in DJANGO.items() if name != "Procfile"}
    assert builder.build(files).process_types == {"web": "gunicorn mysite.wsgi"}
    assert "       Default types for buildpack -> web" in builder.lines


def test_a_postgres_driver_asks_for_a_database(builder: Builder) -> None:
    assert builder.build({**SMALL, "requirements.txt": "psycopg[binary]\n"}).addons == ("heroku-postgresql",)


def test_slugignore_leaves_out_and_the_rest_stays(builder: Builder) -> None:
    files = {**SMALL, ".slugignore": "*.psd\n/docs/\n", "a.psd": "x", "docs/x": "x", "src/docs/y": "y"}
    slug = builder.build(files)
    left = {str(path.relative_to(slug.path)) for path in slug.path.rglob("*") if path.is_file()}
    assert {"src/docs/y"} <= left and not {"a.psd", "docs/x"} & left


def test_two_builds_of_one_app_at_a_time_both_succeed(builder: Builder, fresh: Builder) -> None:
    slugs: list[Slug] = []
    twins = [Builder(fresh.home, fresh.key) for _ in range(2)]
    threads = [threading.Thread(target=lambda twin=twin: slugs.append(twin.build(SMALL))) for twin in twins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slugs) == 2 and slugs[0].mounts == slugs[1].mounts and slugs[0].path != slugs[1].path


def test_a_build_killed_in_the_middle_leaves_nothing_that_a_later_one_trusts(
    fresh: Builder, tmp_path: Path
) -> None:
    files = write_tree(
        tmp_path / "tree",
        {
            **SMALL,
            "requirements.txt": "./lib\n",
            "lib/setup.py": (
                "import time\ntime.sleep(3456 if open('slow').read() else 0)\n"
                "from setuptools import setup\n" + SETUP
            ),
            "lib/slow": "yes",
            "lib/mylib.py": "VALUE = 1\n",
        },
    )
    driver = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from tests.build.conftest import Builder; from baton.base.paths import Home\n"
        "Builder(Home(Path(sys.argv[2])), sys.argv[3]).build(Path(sys.argv[4]))\n"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", driver, str(root), str(fresh.home.root), fresh.key, str(files)],
        env={**os.environ, "PYTHONPATH": f"{root}/src"},
    )
    wait_for(lambda: sleeping("setup.py") or process.poll() is not None, 60)
    assert process.poll() is None
    before = set(fresh.home.deps.iterdir())
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not sleeping("setup.py"), 20)
    assert set(fresh.home.deps.iterdir()) == before
    (files / "lib/slow").write_text("")
    slug = fresh.build(files)
    assert inside(slug, "python", "-c", "import mylib; print(mylib.VALUE)") == "1"
    dead = [path.name for path in fresh.home.builds.iterdir() if path.name != ".locks"]
    kept = frozenset(path.name for path in fresh.home.slugs.glob("*"))
    collect(
        fresh.home,
        Keep(kept, frozenset(), frozenset(path.name for path in (fresh.home.root / "cache").iterdir())),
    )
    assert len(dead) == 1
    assert [path for path in fresh.home.builds.iterdir() if path.name != ".locks"] == []
    assert not any(path.exists() for path in Cgroup(cgroup(dead[0])).directories())


def sleeping(word: str) -> bool:
    """Whether a caged build of the test's own package is running."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            building = any(
                name in command for name in (word.encode(), b"get_requires_for_build", b"build_wheel")
            )
            if building and str(BUILD_UID) in (path / "status").read_text():
                return True
        except OSError:
            continue
    return False
