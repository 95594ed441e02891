"""Heroku's Platform API: the one way in for every client, the `heroku` program and Baton's own alike.

In: HTTP requests with a bearer token. Out: JSON in Heroku's shapes, streams of logs and builds, and orders to
`baton.control.deploys`. The shape of each answer is in Heroku's published schema, `platform-schema.json`.
"""
