"""heroku/nodejs with real Node.js and npm."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from baton.build import BuildError, engines, nodejs
from baton.build.errors import OtherPackageManager, PackageJsonError

from .conftest import DJANGO, Builder, write_tree
from .test_python_builds import inside

PACKAGE: dict[str, Any] = {"name": "x", "version": "1.2.3", "dependencies": {"is-number": "7.0.0"}}


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working npm, laid out as in a build."""
    wheel = engines.bundled().wheel
    assert wheel is not None
    return nodejs.assemble(wheel, tmp_path_factory.mktemp("node") / "node") / "bin"


def node_tree(root: Path, npm: Path, package: dict[str, Any], files: dict[str, str] | None = None) -> Path:
    """A tree with a package.json and the lock file that npm makes for it."""
    write_tree(
        root, {"package.json": json.dumps(package), "Procfile": "web: node server.js\n", **(files or {})}
    )
    environment = {**os.environ, "PATH": f"{npm}:{os.environ['PATH']}"}
    argv = [str(npm / "npm"), "install", "--package-lock-only", "--ignore-scripts", "--no-audit"]
    subprocess.run(argv, cwd=root, check=True, capture_output=True, env=environment)
    return root


def failing(builder: Builder, root: Path) -> BuildError:
    with pytest.raises(BuildError) as caught:
        builder.build(root)
    return caught.value


@pytest.mark.slow
def test_packages_are_installed_once_and_the_app_s_scripts_run_on_each_push(
    builder: Builder, tmp_path: Path, npm: Path
) -> None:
    scripts = {
        "postinstall": 'echo "$npm_lifecycle_event $npm_package_version $NODE_ENV" >> order.txt',
        "heroku-prebuild": "echo prebuild >> order.txt",
        "build": (
            "node -e \"require('fs').writeFileSync('built.txt', String(require('is-number')('7')))\" "
            "&& echo build >> order.txt"
        ),
        "start": "node server.js",
    }
    root = node_tree(tmp_path, npm, {**PACKAGE, "scripts": scripts})
    first = builder.build(root)
    assert (first.path / "order.txt").read_text().split("\n")[:3] == [
        "prebuild",
        "postinstall 1.2.3 production",
        "build",
    ]
    assert (first.path / "built.txt").read_text() == "true"
    assert first.provided == "Node.js"
    assert {mount.target for mount in first.mounts} == {"/app/.heroku/node", "/app/node_modules"}
    (root / "server.js").write_text("// changed")
    second = builder.build(root)
    assert "-----> Using cached install of the Node.js packages" in builder.lines
    assert second.mounts == first.mounts
    assert (second.path / "order.txt").exists()
    assert inside(second, "node", "-p", "require('is-number')(5) + process.env.WEB_CONCURRENCY") == "true1"
    assert inside(second, "npm", "--version").count(".") == 2


@pytest.mark.slow
def test_what_scripts_change_in_node_modules_is_kept_for_that_release_alone(
    builder: Builder, tmp_path: Path, npm: Path
) -> None:
    patch = {
        "scripts": {
            "postinstall": "echo 'module.exports = () => \"patched\"' > node_modules/is-number/index.js"
        }
    }
    patched = builder.build(node_tree(tmp_path / "a", npm, {**PACKAGE, **patch}))
    assert inside(patched, "node", "-p", "require('is-number')(5)") == "patched"
    plain = builder.build(node_tree(tmp_path / "b", npm, PACKAGE))
    assert inside(plain, "node", "-p", "require('is-number')(5)") == "true"


@pytest.mark.slow
def test_a_package_of_the_tree_is_linked_and_its_own_script_runs(
    builder: Builder, tmp_path: Path, npm: Path
) -> None:
    files = {
        "lib/package.json": json.dumps(
            {
                "name": "mylib",
                "version": "1.0.0",
                "scripts": {"install": "echo 'module.exports = 3' > made.js"},
            }
        ),
        "lib/index.js": "module.exports = require('./made.js')",
    }
    root = node_tree(
        tmp_path, npm, {"name": "x", "version": "1.0.0", "dependencies": {"mylib": "file:lib"}}, files
    )
    assert inside(builder.build(root), "node", "-p", "require('mylib')") == "3"


@pytest.mark.slow
def test_a_stale_lock_file_is_told_apart(builder: Builder, tmp_path: Path, npm: Path) -> None:
    root = node_tree(tmp_path, npm, PACKAGE)
    (root / "package.json").write_text(json.dumps({**PACKAGE, "dependencies": {"is-number": "6.0.0"}}))
    error = failing(builder, root)
    assert error.code == "build.stale-package-lock", builder.text
    assert "npm install" in error.hint


@pytest.mark.slow
def test_without_a_lock_file_there_is_a_warning(builder: Builder, tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"package.json": json.dumps(PACKAGE), "Procfile": "web: true"})
    slug = builder.build(root)
    assert any("There is no package-lock.json" in line for line in builder.lines)
    assert inside(slug, "node", "-p", "require('is-number')(1)") == "true"


@pytest.mark.slow
def test_a_package_that_does_not_exist_is_named(builder: Builder, tmp_path: Path) -> None:
    package = {**PACKAGE, "dependencies": {"no-such-package-8fd3a1c0": "1.0.0"}}
    error = failing(builder, write_tree(tmp_path, {"package.json": json.dumps(package)}))
    assert error.code == "build.packages-failed"
    assert any("no-such-package-8fd3a1c0" in line for line in error.excerpt)


@pytest.mark.slow
def test_a_failing_script_is_named(builder: Builder, tmp_path: Path, npm: Path) -> None:
    scripts = {"postinstall": "true", "build": "echo reason; exit 4"}
    error = failing(builder, node_tree(tmp_path, npm, {**PACKAGE, "scripts": scripts}))
    assert error.code == "build.script-failed"
    assert "'build'" in error.message and "ended with 4" in error.message
    assert "reason" in error.excerpt


@pytest.mark.slow
def test_committed_packages_are_left_out_with_a_warning(builder: Builder, tmp_path: Path, npm: Path) -> None:
    root = node_tree(
        tmp_path, npm, PACKAGE, {"node_modules/is-number/index.js": "module.exports = () => 'committed'"}
    )
    slug = builder.build(root)
    assert any("node_modules is in git" in line for line in builder.lines)
    assert inside(slug, "node", "-p", "require('is-number')(1)") == "true"


@pytest.mark.slow
def test_another_major_version_is_fetched(builder: Builder, tmp_path: Path) -> None:
    package = {"name": "x", "version": "1.0.0", "engines": {"node": "22.x"}}
    slug = builder.build(write_tree(tmp_path, {"package.json": json.dumps(package), "Procfile": "web: true"}))
    assert inside(slug, "node", "-p", "process.versions.node").startswith("22.")


@pytest.mark.slow
def test_a_version_that_nobody_has_is_refused_with_those_that_are(builder: Builder, tmp_path: Path) -> None:
    package = {"name": "x", "version": "1.0.0", "engines": {"node": "99.x"}}
    error = failing(builder, write_tree(tmp_path, {"package.json": json.dumps(package)}))
    assert error.code == "build.node-version-missing"
    assert engines.bundled().version in error.message


@pytest.mark.slow
def test_assets_that_node_makes_are_collected_by_python_afterwards(
    builder: Builder, tmp_path: Path, npm: Path
) -> None:
    """The order of an application whose style sheets are built before Django collects them."""
    script = "mkdir -p assets && echo 'body { color: red }' > assets/made.css"
    files = {
        **{name: content for name, content in DJANGO.items() if isinstance(content, str)},
        "bin/post_compile": "#!/bin/sh\nset -e\npython manage.py collectstatic --noinput\n",
    }
    root = node_tree(tmp_path, npm, {**PACKAGE, "scripts": {"postinstall": script}}, files)
    slug = builder.build(root, buildpacks=("heroku/nodejs", "heroku/python"))
    assert slug.buildpacks == ("heroku/nodejs", "heroku/python")
    assert slug.provided == "Python"
    assert slug.static is not None
    assert any(name.startswith("made.") for name in slug.static.hashed)
    assert inside(
        slug, "sh", "-c", "node -p 1 && python -c 'import django; print(2)' && echo $WEB_CONCURRENCY"
    ).split() == ["1", "2", "2"]


@pytest.mark.parametrize("lock", ["yarn.lock", "pnpm-lock.yaml", "bun.lock"])
def test_other_package_managers_are_refused_unless_npm_s_lock_is_there_too(tmp_path: Path, lock: str) -> None:
    write_tree(tmp_path, {lock: ""})
    with pytest.raises(OtherPackageManager, match="--package-lock-only"):
        nodejs.lock_file(tmp_path)
    write_tree(tmp_path, {"package-lock.json": "{}"})
    assert nodejs.lock_file(tmp_path) == "package-lock.json"


@pytest.mark.parametrize("text", ["{", "[]", '{"scripts": []}', '{"scripts": {"a": 1}}', "[" * 100_000])
def test_a_broken_package_json_is_refused(text: str) -> None:
    with pytest.raises(PackageJsonError):
        nodejs.parse(text)


def test_scripts_do_not_decide_which_packages_are_installed() -> None:
    first = nodejs.parse(json.dumps({**PACKAGE, "scripts": {"build": "a"}}))
    second = nodejs.parse(json.dumps({**PACKAGE, "scripts": {"build": "b"}, "author": "x"}))
    assert first.decisive() == second.decisive()
    assert "scripts" not in json.loads(first.without_scripts())


def test_packages_of_the_tree_are_known_from_both_files() -> None:
    lock = json.dumps(
        {
            "packages": {
                "node_modules/a": {"resolved": "packages/a", "link": True},
                "node_modules/b": {"resolved": "https://x"},
            }
        }
    )
    package = nodejs.parse(json.dumps({"dependencies": {"c": "file:c.tgz", "d": "1.0.0"}}))
    assert nodejs.local_packages(package, lock) == ["c.tgz", "packages/a"]
