"""The `baton` command: Heroku's verbs, spoken over HTTP to a Baton server.

In: words on the command line, the environment, ~/.config/baton, a git repository's remotes.
Out: requests to Heroku's Platform API; text or JSON on stdout, progress and errors on stderr, an exit code.
"""
