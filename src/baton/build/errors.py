"""What can go wrong between a pushed tree and its slug: what was looked for, what was found, what to type
next.

BuildError                          build.error
├── Cancelled                       build.cancelled
├── TimedOut                        build.timeout
├── OutOfMemory                     build.out-of-memory
├── DiskFull                        build.disk-full
├── NoCage                          build.no-cage
├── TreeError                       build.tree
│   ├── TooManyFiles                build.too-many-files
│   ├── TooDeep                     build.too-deep
│   ├── TooBig                      build.too-big
│   ├── SpecialFile                 build.special-file
│   ├── LeavesTree                  build.leaves-tree
│   ├── NotAFile                    build.not-a-file
│   ├── FileTooBig                  build.file-too-big
│   ├── NotText                     build.not-text
│   └── ReservedPath                build.reserved-path
├── ProcfileError                   build.procfile
├── AppJsonError                    build.app-json
├── SlugIgnoreError                 build.slugignore
├── NoBuildpack                     build.no-buildpack
├── UnknownBuildpack                build.unknown-buildpack
├── BuildpackNotFetched             build.buildpack-not-fetched
├── BuildpackRejects                build.buildpack-rejects
├── BuildpackFailed                 build.buildpack-failed
├── BuildpackRelease                build.buildpack-release
├── HookFailed                      build.hook-failed
├── PythonError                     build.python
│   ├── NoRequirements              build.no-requirements
│   ├── SeveralRequirements         build.several-requirements
│   ├── RequirementsInvalid         build.requirements-invalid
│   ├── PythonVersionInvalid        build.python-version-invalid
│   ├── PythonVersionMissing        build.python-version-missing
│   ├── RequirementNotFound         build.requirement-not-found
│   ├── StaleLock                   build.stale-lock
│   ├── DependenciesFailed          build.dependencies-failed
│   └── CollectStaticFailed         build.collectstatic-failed
└── NodeError                       build.node
    ├── PackageJsonError            build.package-json
    ├── OtherPackageManager         build.other-package-manager
    ├── NodeVersionMissing          build.node-version-missing
    ├── StalePackageLock            build.stale-package-lock
    ├── PackagesFailed              build.packages-failed
    └── ScriptFailed                build.script-failed
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from baton.base.errors import BatonError

EXCERPT_LINES = 15


class BuildError(BatonError):
    """`title` heads what a person is shown; `excerpt` has the last lines of output, already redacted."""

    code = "build.error"
    title = "The build failed"

    def __init__(self, message: str, hint: str = "", excerpt: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.excerpt = tuple(excerpt[-EXCERPT_LINES:])


class Cancelled(BuildError):
    code = "build.cancelled"
    title = "Build cancelled"

    def __init__(self) -> None:
        super().__init__(
            "The build was cancelled before it was done; nothing that is served has changed.",
            "Push again to build again.",
        )


class TimedOut(BuildError):
    code = "build.timeout"
    title = "Build took too long"

    def __init__(self, what: str, seconds: int) -> None:
        super().__init__(
            f"A build has {seconds} seconds; they were used up during {what}.",
            "Look for a step that waits for input or for the network, or raise BATON_BUILD_SECONDS on "
            "this machine.",
        )


class OutOfMemory(BuildError):
    code = "build.out-of-memory"
    title = "Build used too much memory"

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(
            f"A build may use {megabytes(limit)} of memory; the kernel stopped {what} there.",
            "Use packages that come as wheels, or raise BATON_BUILD_MEMORY_MB on this machine.",
        )


class DiskFull(BuildError):
    code = "build.disk-full"
    title = "Disk is full"

    def __init__(self, where: Path, free: int, wanted: int) -> None:
        super().__init__(
            f"A build needs {megabytes(wanted)} of free disk at {where}; {megabytes(free)} are free. "
            "Nothing half-built was kept.",
            "Free some disk (`baton doctor` shows what Baton itself uses), or lower BATON_DISK_RESERVE_MB "
            "on this machine.",
        )


class NoCage(BuildError):
    code = "build.no-cage"
    title = "Builds can't be caged on this machine"

    def __init__(self, missing: Iterable[str]) -> None:
        super().__init__(
            f"A build runs in a sandbox made by bubblewrap, which does not work here: {' '.join(missing)}",
            "Run `baton doctor`, which says what this machine is missing.",
        )


class TreeError(BuildError):
    code = "build.tree"
    title = "The pushed tree can't be built"


class TooManyFiles(TreeError):
    code = "build.too-many-files"
    title = "Too many files"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"An app may have {limit:,} files and directories; this one has more.",
            "Remove generated files from git (node_modules, collected static files), or list them in "
            ".slugignore.",
        )


class TooDeep(TreeError):
    code = "build.too-deep"
    title = "Directories nested too deeply"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"Directories may be nested {limit} deep; this tree goes deeper.", "Flatten the tree."
        )


class TooBig(TreeError):
    code = "build.too-big"
    title = "The app is too big"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"An app may have {megabytes(limit)} on disk; this one has at least {megabytes(size)}.",
            "Keep large files out of git, and list what production does not need in .slugignore.",
        )


class SpecialFile(TreeError):
    code = "build.special-file"
    title = "Not a file, directory or symbolic link"

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(
            f"A tree may hold files, directories and symbolic links; {name!r} is a {kind}.",
            f"Remove {name!r} from the tree, or from what creates it.",
        )


class LeavesTree(TreeError):
    code = "build.leaves-tree"
    title = "A link leads out of the tree"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} should be inside of the pushed tree; it is a symbolic link that leads out of it, or "
            "in circles.",
            f"Commit {name!r} as an ordinary file.",
        )


class NotAFile(TreeError):
    code = "build.not-a-file"
    title = "Not an ordinary file"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} should be an ordinary file.", f"Commit {name!r} as an ordinary file, or remove it."
        )


class FileTooBig(TreeError):
    code = "build.file-too-big"
    title = "A file is too big to be read"

    def __init__(self, name: str, size: int, limit: int) -> None:
        super().__init__(
            f"{name!r} may have {limit:,} bytes; it has {size:,}.",
            f"Check that {name!r} is what you meant to commit.",
        )


class NotText(TreeError):
    code = "build.not-text"
    title = "A file is not UTF-8 text"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} should be text in UTF-8; it is not.", f"Save {name!r} as UTF-8 and commit it again."
        )


class ReservedPath(TreeError):
    code = "build.reserved-path"
    title = "A path that the platform needs is taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} has to be a directory (or absent), because the platform puts its own files there; "
            "it is something else.",
            f"Remove {name!r} from git: git rm {name}",
        )


class ProcfileError(BuildError):
    code = "build.procfile"
    title = "The Procfile has a mistake"

    def __init__(self, line: int, found: str, problem: str) -> None:
        super().__init__(
            f"Procfile, line {line}: {problem} Found: {found!r}.",
            "Write each line as `type: command`, for example `web: gunicorn myproject.wsgi`.",
        )


class AppJsonError(BuildError):
    code = "build.app-json"
    title = "app.json has a mistake"

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"app.json: {where}: {problem}", "Mend app.json and push again.")


class SlugIgnoreError(BuildError):
    code = "build.slugignore"
    title = ".slugignore has a mistake"

    def __init__(self, line: int, pattern: str, problem: str) -> None:
        super().__init__(
            f".slugignore, line {line}: {problem} Found: {pattern!r}.", "Mend .slugignore and push again."
        )


class NoBuildpack(BuildError):
    code = "build.no-buildpack"
    title = "App not compatible with any buildpack"

    def __init__(self, found: Sequence[str], misspelled: str = "") -> None:
        listing = ", ".join(found) if found else "nothing"
        super().__init__(
            "Looked in the root of the tree for requirements.txt, uv.lock, Pipfile.lock or poetry.lock "
            "(Python) and package.json "
            f"(Node.js); found {listing}.{misspelled}",
            "Commit one of these files to the root of the repository, or set a buildpack: heroku "
            "buildpacks:set heroku/python",
        )


class UnknownBuildpack(BuildError):
    code = "build.unknown-buildpack"
    title = "Unknown buildpack"

    def __init__(self, name: str) -> None:
        super().__init__(
            "A buildpack is heroku/python, heroku/nodejs, a git URL, the URL of a .tgz archive, or the "
            "absolute path of a "
            f"directory with bin/detect and bin/compile; found {name!r}.",
            "See `heroku buildpacks`, then: heroku buildpacks:set heroku/python",
        )


class BuildpackNotFetched(BuildError):
    code = "build.buildpack-not-fetched"
    title = "The buildpack could not be fetched"

    def __init__(self, name: str, problem: str, excerpt: Sequence[str] = ()) -> None:
        super().__init__(
            f"Wanted the buildpack {name}: {problem}",
            "Check its address (`heroku buildpacks`), then push again.",
            excerpt,
        )


class BuildpackRejects(BuildError):
    code = "build.buildpack-rejects"
    title = "A buildpack does not fit this app"

    def __init__(self, name: str, wanted: str, hint: str = "") -> None:
        super().__init__(
            f"The buildpack {name} looks for {wanted}, and did not find it.",
            hint or f"Or remove it: heroku buildpacks:remove {name}",
        )


class BuildpackFailed(BuildError):
    code = "build.buildpack-failed"
    title = "A buildpack failed"

    def __init__(self, name: str, status: int, excerpt: Sequence[str]) -> None:
        super().__init__(
            f"bin/compile of {name} should end with status 0; it ended with {status}.",
            "Its last lines above say why.",
            excerpt,
        )


class BuildpackRelease(BuildError):
    code = "build.buildpack-release"
    title = "A buildpack's bin/release can't be understood"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"bin/release of {name} should print YAML with addons, config_vars and default_process_types; "
            f"{problem}.",
            "Report this to the buildpack's authors, or use another buildpack.",
        )


class HookFailed(BuildError):
    code = "build.hook-failed"
    title = "A hook failed"

    def __init__(self, hook: str, status: int, excerpt: Sequence[str]) -> None:
        super().__init__(
            f"{hook} should end with status 0; it ended with {status}.",
            f"Its last lines above say why. Try it on your own machine: bash {hook}",
            excerpt,
        )


class PythonError(BuildError):
    code = "build.python"
    title = "The Python app can't be built"


class NoRequirements(PythonError):
    code = "build.no-requirements"
    title = "No file says which packages the app needs"

    def __init__(self, found: Sequence[str], misspelled: str = "") -> None:
        listing = ", ".join(found) if found else "nothing"
        super().__init__(
            "Looked in the root of the tree for requirements.txt, uv.lock, Pipfile.lock or poetry.lock; "
            f"found {listing}.{misspelled}",
            "Commit one of them, for example: pip freeze > requirements.txt && git add requirements.txt",
        )


class SeveralRequirements(PythonError):
    code = "build.several-requirements"
    title = "Several files say which packages the app needs"

    def __init__(self, found: Sequence[str]) -> None:
        keep = found[-1]
        others = " ".join(name for name in found if name != keep)
        super().__init__(
            "Exactly one of requirements.txt, uv.lock, Pipfile.lock and poetry.lock should be there; "
            f"found {', '.join(found)}.",
            f"Decide which one counts and remove the rest, for example: git rm {others}",
        )


class RequirementsInvalid(PythonError):
    code = "build.requirements-invalid"
    title = "A requirements file can't be read"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}", f"Mend {name} and push again.")


class PythonVersionInvalid(PythonError):
    code = "build.python-version-invalid"
    title = "The Python version can't be understood"

    def __init__(self, file: str, found: str) -> None:
        super().__init__(
            f"{file} should have one version on one line, such as 3.13 or 3.13.1; found {found!r}.",
            "For example: echo 3.13 > .python-version",
        )


class PythonVersionMissing(PythonError):
    code = "build.python-version-missing"
    title = "That Python is not on this machine"

    def __init__(self, file: str, wanted: str, available: Sequence[str], download: str = "") -> None:
        listing = ", ".join(available) or "none"
        tail = f" Downloading it did not work: {download}" if download else ""
        super().__init__(
            f"{file} asks for Python {wanted}; available here: {listing}.{tail}",
            f"Ask for one of these (echo {available[-1] if available else '3.13'} > .python-version), or "
            f"install Python {wanted} on the machine.",
        )


class RequirementNotFound(PythonError):
    code = "build.requirement-not-found"
    title = "A required package does not exist"

    def __init__(self, file: str, excerpt: Sequence[str]) -> None:
        super().__init__(
            f"Every requirement in {file} should be found in the package index; the lines above name one "
            "that is not.",
            f"Check its spelling and version in {file}, and whether it supports this Python version.",
            excerpt,
        )


class StaleLock(PythonError):
    code = "build.stale-lock"
    title = "The lock file is out of date"

    def __init__(self, lock: str, source: str, command: str, excerpt: Sequence[str] = ()) -> None:
        super().__init__(
            f"{lock} should agree with {source}; it does not.", f"Run: {command} && git add {lock}", excerpt
        )


class DependenciesFailed(PythonError):
    code = "build.dependencies-failed"
    title = "Installing the dependencies failed"

    def __init__(self, file: str, status: int, excerpt: Sequence[str]) -> None:
        super().__init__(
            f"Installing what {file} lists should end with status 0; it ended with {status}.",
            "The last lines above say why. A package that has to be compiled may need a -dev package of "
            "the system.",
            excerpt,
        )


class CollectStaticFailed(PythonError):
    code = "build.collectstatic-failed"
    title = "collectstatic failed"

    def __init__(self, excerpt: Sequence[str]) -> None:
        super().__init__(
            "`python manage.py collectstatic --noinput` should collect the static files; it failed.",
            f"{collectstatic_hint(excerpt)} To build without it: heroku config:set DISABLE_COLLECTSTATIC=1",
            excerpt,
        )


class NodeError(BuildError):
    code = "build.node"
    title = "The Node.js app can't be built"


class PackageJsonError(NodeError):
    code = "build.package-json"
    title = "package.json has a mistake"

    def __init__(self, problem: str) -> None:
        super().__init__(f"package.json: {problem}", "Mend package.json and push again.")


class OtherPackageManager(NodeError):
    code = "build.other-package-manager"
    title = "A lock file of another package manager"

    def __init__(self, lock: str) -> None:
        super().__init__(
            f"Packages are installed with npm from package-lock.json; found {lock} and no package-lock.json.",
            f"Run: npm install --package-lock-only && git rm {lock} && git add package-lock.json",
        )


class NodeVersionMissing(NodeError):
    code = "build.node-version-missing"
    title = "That Node.js is not available"

    def __init__(self, wanted: str, available: Sequence[str], problem: str = "") -> None:
        tail = f" Installing another one did not work: {problem}" if problem else ""
        super().__init__(
            f"engines.node in package.json asks for {wanted!r}; available: {', '.join(available)}.{tail}",
            f'Ask for one of these in package.json: "engines": {{"node": "{available[0].split(".")[0]}.x"}}',
        )


class StalePackageLock(NodeError):
    code = "build.stale-package-lock"
    title = "package-lock.json is out of date"

    def __init__(self, excerpt: Sequence[str]) -> None:
        super().__init__(
            "package-lock.json should agree with package.json; it does not.",
            "Run: npm install && git add package-lock.json",
            excerpt,
        )


class PackagesFailed(NodeError):
    code = "build.packages-failed"
    title = "Installing the Node.js packages failed"

    def __init__(self, command: str, status: int, excerpt: Sequence[str]) -> None:
        super().__init__(
            f"`{command}` should end with status 0; it ended with {status}.",
            "The last lines above say why.",
            excerpt,
        )


class ScriptFailed(NodeError):
    code = "build.script-failed"
    title = "A script of package.json failed"

    def __init__(self, script: str, status: int, excerpt: Sequence[str]) -> None:
        super().__init__(
            f"The script {script!r} of package.json should end with status 0; it ended with {status}.",
            f"Its last lines above say why. Try it on your own machine: npm run {script}",
            excerpt,
        )


def megabytes(size: int) -> str:
    return f"{size / 1_048_576:,.0f} MB" if size >= 1_048_576 else f"{size / 1024:,.0f} kB"


_COLLECTSTATIC_HINTS = (
    (r"STATIC_ROOT", "Set STATIC_ROOT in the settings, for example STATIC_ROOT = BASE_DIR / 'staticfiles'."),
    (
        r"No module named '([\w.]+)'",
        "Add the package that has the module {0!r} to the requirements, or commit the module.",
    ),
    (r"KeyError: '([A-Z][A-Z0-9_]+)'", "The settings want {0}: heroku config:set {0}=..."),
    (r"Set the ([A-Z][A-Z0-9_]+) environment variable", "The settings want {0}: heroku config:set {0}=..."),
    (r"SECRET_KEY", "The settings want a secret key: give it as a config var (heroku config:set)."),
    (
        r"The file '([^']+)' could not be found",
        "A style sheet or script names {0!r}, which does not exist: mend the reference or add the file.",
    ),
    (
        r"Missing staticfiles manifest entry for '([^']+)'",
        "A template or setting names {0!r}, which is not among the static files.",
    ),
    (r"DJANGO_SETTINGS_MODULE", "Say which settings to use: heroku config:set DJANGO_SETTINGS_MODULE=..."),
)


def collectstatic_hint(excerpt: Sequence[str]) -> str:
    """What to type next, by the words of the traceback."""
    text = "\n".join(excerpt)
    for pattern, hint in _COLLECTSTATIC_HINTS:
        found = re.search(pattern, text)
        if found:
            return hint.format(*found.groups())
    return "The traceback above says why. Try the same command on your own machine, with these config vars."
