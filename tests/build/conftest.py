"""Trees to build, and a home that keeps its caches for all tests of this room."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from baton.base.paths import Home
from baton.build import BuildRequest, Limits, Slug, build
from baton.build import tree as trees

BUILD_UID, APP_UID = (200_901, 200_900) if os.geteuid() == 0 else (None, None)
Tree = Mapping[str, str | bytes]

DJANGO = {
    "requirements.txt": "django==5.2.*\ngunicorn\n",
    ".python-version": "3.11\n",
    "Procfile": "web: gunicorn mysite.wsgi\nrelease: python manage.py migrate\n",
    "manage.py": (
        "import os, sys\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"
        "from django.core.management import execute_from_command_line\n"
        "if __name__ == '__main__':\n    execute_from_command_line(sys.argv)\n"
    ),
    "mysite/__init__.py": "",
    "mysite/wsgi.py": (
        "import os\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"
        "application = get_wsgi_application()\n"
    ),
    "mysite/urls.py": "urlpatterns = []\n",
    "mysite/settings.py": (
        "from pathlib import Path\n"
        "BASE_DIR = Path(__file__).parent.parent\n"
        "SECRET_KEY = 'x'\n"
        "ROOT_URLCONF = 'mysite.urls'\n"
        "INSTALLED_APPS = ['django.contrib.staticfiles']\n"
        "STATIC_URL = 'static/'\n"
        "STATIC_ROOT = BASE_DIR / 'staticfiles'\n"
        "STATICFILES_DIRS = [BASE_DIR / 'assets']\n"
        "STORAGES = {'staticfiles': {'BACKEND': "
        "'django.contrib.staticfiles.storage.ManifestStaticFilesStorage'}}\n"
    ),
    "assets/site.css": "body { color: #123456 }\n" * 50,
}


def write_tree(root: Path, files: Tree) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        if name.startswith("bin/"):
            path.chmod(0o755)
    return root


@dataclass
class Builder:
    """Builds trees as control would; `lines` has what the user of the last build saw."""

    home: Home
    key: str
    lines: list[str] = field(default_factory=list)
    build_ids: list[str] = field(default_factory=list)

    def request(self, files: Tree | Path, **changes: object) -> BuildRequest:
        build_id = uuid.uuid4().hex
        self.build_ids.append(build_id)
        source = self.home.builds / build_id / "app"
        if isinstance(files, Path):
            shutil.copytree(files, source, symlinks=True)
        else:
            source.mkdir(parents=True)
            write_tree(source, files)
        given: dict[str, object] = {
            "buildpacks": (),
            "env": {},
            "commit": "c0ffee",
            "limits": Limits(reserve=0),
        }
        owner = None if APP_UID is None else (APP_UID, APP_UID)
        return BuildRequest(
            home=self.home,
            key=self.key,
            build_id=build_id,
            source=source,
            uid=BUILD_UID,
            gid=BUILD_UID,
            owner=owner,
            **{**given, **changes},  # type: ignore[arg-type]
        )

    def build(
        self, files: Tree | Path, cancelled: Callable[[], bool] = lambda: False, **changes: object
    ) -> Slug:
        return self.run(self.request(files, **changes), cancelled)

    def run(self, request: BuildRequest, cancelled: Callable[[], bool] = lambda: False) -> Slug:
        self.lines = []
        return build(request, self.lines.append, cancelled)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def other_app(self) -> Builder:
        return replace(self, key=uuid.uuid4().hex[:12], lines=[])


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="bt", dir="/tmp"))
    root.chmod(0o755)
    yield Home.at(root)
    trees.remove(root)


@pytest.fixture(scope="session")
def warm_key() -> str:
    """The key of an app whose caches all slow tests share."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def builder(home: Home, warm_key: str) -> Builder:
    return Builder(home, warm_key)


@pytest.fixture
def fresh(home: Home) -> Builder:
    return Builder(home, uuid.uuid4().hex[:12])
