"""Compile Python files ahead of their first import. Runs in the cage under the app's own interpreter (3.8 or
later),
with -I -S, so that nothing of what is compiled is executed.

    bytecode.py CACHE checked|unchecked DIRECTORY...

Bytecode is found by the hash of a source (PEP 552), not by its time: a checkout makes all times new. CACHE
has what was compiled before, by a hash of path and source. Links are not followed; a file that does not
compile is left alone.
"""

# pathlib would take longer to import than the work often does, and this runs under old interpreters too.
# ruff: noqa
# mypy: ignore-errors

import hashlib
import importlib.util
import os
import py_compile
import sys

LEFT_OUT = {".heroku", "node_modules", ".git", "__pycache__"}
LARGEST = 5_000_000
MANY = 200


def sources(directory):
    """Paths of the Python files below."""
    for path, names, files in os.walk(directory):
        names[:] = [
            name for name in names if name not in LEFT_OUT and not os.path.islink(os.path.join(path, name))
        ]
        for name in files:
            if name.endswith(".py"):
                yield os.path.join(path, name)


def compile_one(job):
    source, cache, checked = job
    try:
        if os.path.islink(source) or os.path.getsize(source) > LARGEST:
            return
        with open(source, "rb") as file:
            content = file.read()
        target = importlib.util.cache_from_source(source)
        known = os.path.join(cache, name_of(source, content, checked))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not put(known, target):
            mode = py_compile.PycInvalidationMode
            py_compile.compile(
                source,
                target,
                doraise=True,
                invalidation_mode=mode.CHECKED_HASH if checked else mode.UNCHECKED_HASH,
            )
            put(target, known)
    except (py_compile.PyCompileError, OSError, ValueError, RecursionError, MemoryError):
        return


def name_of(source, content, checked):
    digest = hashlib.sha256(
        importlib.util.MAGIC_NUMBER + os.fsencode(source) + b"\0" + bytes([checked]) + content
    ).hexdigest()
    return os.path.join(digest[:2], digest)


def put(origin, target):
    """A second name for `origin`, a copy where that can't be; False when there is no origin."""
    if not os.path.exists(origin):
        return False
    os.makedirs(os.path.dirname(target), exist_ok=True)
    scratch = "%s.%d" % (target, os.getpid())
    try:
        os.link(origin, scratch)
    except OSError:
        with open(origin, "rb") as read, open(scratch, "wb") as write:
            write.write(read.read())
    os.replace(scratch, target)
    return True


def main():
    cache, mode, *directories = sys.argv[1:]
    jobs = [(source, cache, mode == "checked") for directory in directories for source in sources(directory)]
    if len(jobs) < MANY:
        for job in jobs:
            compile_one(job)
        return
    from multiprocessing import Pool  # slow to import, and seldom needed

    with Pool(min(4, os.cpu_count() or 1)) as pool:
        pool.map(compile_one, jobs, chunksize=50)


if __name__ == "__main__":
    main()
