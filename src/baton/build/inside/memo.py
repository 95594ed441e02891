"""Remember what WhiteNoise has compressed. Executed during builds by a .pth file, under the app's own
interpreter.

WhiteNoise compresses every file on every collectstatic, most of them the same as last time. Its two functions
depend on nothing but their argument, so their results are kept, by library version and content, in
BATON_BUILD_CACHE.
"""

# pathlib would take longer to import than the work often does, and this runs under old interpreters too.
# ruff: noqa
# mypy: ignore-errors

import importlib.util
import os
import sys

NAME = "whitenoise.compress"


class Finder:
    """Waits for the one module, lets it load as ever, and wraps two functions of it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != NAME:
            return None
        sys.meta_path.remove(Finder)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (load(module), wrap_all(module))[0]
        return spec


def wrap_all(module):
    compressor = getattr(module, "Compressor", None)
    for name in ("compress_brotli", "compress_gzip"):
        if isinstance(vars(compressor or object).get(name), staticmethod):
            setattr(compressor, name, staticmethod(remembering(name, getattr(compressor, name))))


def remembering(name, function):
    import hashlib
    from importlib.metadata import PackageNotFoundError, version

    try:
        versions = [version("whitenoise"), version("brotli") if name == "compress_brotli" else sys.version]
    except PackageNotFoundError:
        return function

    def remembered(data):
        digest = hashlib.sha256("\0".join([name, *versions, ""]).encode() + data).hexdigest()
        path = os.path.join(os.environ["BATON_BUILD_CACHE"], digest)
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError:
            result = function(data)
        scratch = "%s.%d.%d" % (path, os.getpid(), id(data))
        with open(scratch, "wb") as file:
            file.write(result)
        os.replace(scratch, path)
        return result

    return remembered


sys.meta_path.insert(0, Finder)
