"""Shared trees: complete or absent, made once, claimed as long as a slug needs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from baton.base.paths import Home
from baton.build import Keep, Limits, collect, dependencies, storage
from baton.build.errors import BuildError, Cancelled
from baton.build.static import variants


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "deps").mkdir()
    return Home(tmp_path)


def never() -> bool:
    return False


def maker(home: Home, made: list[str]) -> Callable[[], Path]:
    def make() -> Path:
        place = home.root / f"staging-{threading.get_ident()}"
        place.mkdir()
        (place / "file").write_text("x")
        made.append("x")
        return place

    return make


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_names_and_values_can_not_be_confused() -> None:
    pairs = [
        {"a": "b", "c": "d"},
        {"a": "bc", "": "d"},
        {"ab": "", "c": "d"},
        {"a": "b\0c", "d": ""},
        {"a": "b"},
    ]
    assert len({dependencies.key(pair) for pair in pairs}) == len(pairs)
    assert dependencies.key({"a": "1", "b": "2"}) == dependencies.key({"b": "2", "a": "1"})


def test_a_tree_is_made_once_for_two_builds_at_a_time(home: Home) -> None:
    made: list[str] = []
    found: list[dependencies.Shared] = []
    make = maker(home, made)

    def run() -> None:
        found.append(dependencies.obtain(home, "t", make, never, Limits()))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["x"]
    assert sorted(shared.cached for shared in found) == [False, True, True, True]
    for shared in found:
        shared.lease.release()


def test_who_waits_for_another_build_can_be_cancelled(home: Home) -> None:
    lease = dependencies.acquire(dependencies.lock_file(home, "t"), shared=False)
    with pytest.raises(Cancelled):
        dependencies.obtain(home, "t", maker(home, []), lambda: True, Limits())
    lease.release()


def test_a_failed_attempt_leaves_no_tree_and_no_lock(home: Home) -> None:
    def fail() -> Path:
        raise BuildError("no")

    with pytest.raises(BuildError):
        dependencies.obtain(home, "t", fail, never, Limits())
    made: list[str] = []
    dependencies.obtain(home, "t", maker(home, made), never, Limits()).lease.release()
    assert made == ["x"]


def test_a_process_killed_while_it_makes_a_tree_leaves_nothing_that_is_trusted(home: Home) -> None:
    script = (
        "import sys, time; from pathlib import Path; from baton.base.paths import Home\n"
        "from baton.build import dependencies, Limits\n"
        "home = Home(Path(sys.argv[1]))\n"
        "def make():\n"
        "    (home.root / 'half').mkdir(); (home.root / 'half' / 'file').write_text('half')\n"
        "    print('making', flush=True)\n"
        "    time.sleep(600)\n"
        "dependencies.obtain(home, 't', make, lambda: False, Limits())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(home.root)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"making\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (home.deps / "t").exists()
    made: list[str] = []
    shared = dependencies.obtain(home, "t", maker(home, made), never, Limits())
    assert made == ["x"] and (shared.path / "file").read_text() == "x"
    shared.lease.release()


def tree_of(home: Home, name: str) -> Path:
    path = home.deps / name
    path.mkdir()
    (path / "file").write_text("x" * 5000)
    return path


def slug_of(home: Home, name: str, *trees: str) -> Path:
    path = home.slugs / name
    path.mkdir(parents=True)
    mounts = [str(home.deps / tree) for tree in trees]
    (home.slugs / f"{name}.json").write_text(json.dumps({"mounts": mounts}))
    return path


NOTHING = Keep(frozenset(), frozenset(), frozenset())


def test_what_no_release_needs_is_removed_and_counted(home: Home) -> None:
    kept, old = slug_of(home, "kept", "a"), slug_of(home, "old", "a", "b")
    a, b = tree_of(home, "a"), tree_of(home, "b")
    freed = collect(home, Keep(frozenset({"kept"}), frozenset(), frozenset()))
    assert kept.exists() and a.exists()
    assert not old.exists() and not b.exists()
    assert sorted(path.name for path in freed.paths) == ["b", "old", "old.json"]
    assert freed.size >= 5000
    assert sorted(path.name for path in home.slugs.iterdir()) == ["kept", "kept.json"]


def test_a_tree_that_a_running_build_holds_stays(home: Home) -> None:
    shared = dependencies.obtain(home, "t", maker(home, []), never, Limits())
    collect(home, NOTHING)
    assert shared.path.exists()
    shared.lease.release()
    collect(home, NOTHING)
    assert not shared.path.exists()


def test_a_running_build_s_directory_stays_and_a_dead_one_s_goes(home: Home) -> None:
    for name in ("running", "dead", "known"):
        (home.builds / name / "app").mkdir(parents=True)
    lease = dependencies.acquire(home.builds / ".locks" / "running", shared=False)
    collect(home, Keep(frozenset(), frozenset({"known"}), frozenset()))
    left = sorted(path.name for path in home.builds.iterdir() if path.name != ".locks")
    assert left == ["known", "running"]
    lease.release()


def test_caches_of_gone_apps_and_too_big_ones_are_removed(home: Home) -> None:
    for key in ("gone", "small", "big"):
        home.cache(key).mkdir(parents=True)
        (home.cache(key) / "packages").mkdir()
        (home.cache(key) / "packages" / "x").write_bytes(b"x" * (50_000 if key == "big" else 10))
    variants(home).mkdir()
    keep = Keep(frozenset(), frozenset(), frozenset({"small", "big"}), cache=30_000)
    lease = dependencies.acquire(storage.cache_lock(home, "big"), shared=True)
    collect(home, keep)
    assert home.cache("big").exists()
    lease.release()
    collect(home, keep)
    assert not home.cache("gone").exists()
    assert (home.cache("small") / "packages" / "x").exists()
    assert not home.cache("big").exists()
    assert variants(home).exists()


def test_collecting_twice_or_nothing_is_no_error(home: Home) -> None:
    slug_of(home, "s", "a")
    collect(home, NOTHING)
    assert collect(home, NOTHING).paths == []
    assert list(home.slugs.iterdir()) == []
