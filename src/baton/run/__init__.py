"""Slug to dynos: the supervisor and its keeper, sockets, sandbox, probes, logs, sleep.

In: an `AppSpec` (what an app should be) and operations through `client.Supervisor`.
Out: processes that answer on the app's front socket, their states and their log lines.
"""
