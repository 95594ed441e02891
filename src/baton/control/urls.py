"""Every path that control answers, but for git's, which `baton.control.asgi` takes first."""

from __future__ import annotations

from baton.control.api.routes import routes

urlpatterns = routes
handler400 = "baton.control.api.frame.bad_request"
handler404 = "baton.control.api.frame.not_found"
handler500 = "baton.control.api.frame.failed"
