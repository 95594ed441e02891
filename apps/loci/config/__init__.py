"""How a Loci instance is configured and started.

In: environment variables. Out: Django settings, the WSGI application, gunicorn's options.
"""
