"""A pushed tree becomes a slug: buildpacks in order, in a cage, over shared dependency trees.

In: a BuildRequest. Out: a Slug, immutable and complete, or a BuildError that says what to type next.
"""

from baton.build.errors import BuildError
from baton.build.request import BuildRequest, Limits, Slug, StaticFiles
from baton.build.slug import build
from baton.build.static import publish_static
from baton.build.storage import Freed, Keep, collect, disk_check

__all__ = [
    "BuildError",
    "BuildRequest",
    "Freed",
    "Keep",
    "Limits",
    "Slug",
    "StaticFiles",
    "build",
    "collect",
    "disk_check",
    "publish_static",
]
