"""Baton: `git push` puts a Django application into production and drops nothing.

The rooms, top to bottom, each importing only from those below it:
cli (speaks HTTP only) > control > build > run > route > base.
"""

__version__ = "0.1.0"
