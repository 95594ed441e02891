"""The addresses of the sandbox, each with and without its last slash, as the service has them."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path

from .views import authorize, site, token, v1, v3


def either(address: str, view: Callable[..., Any]) -> URLPattern:
    return re_path(rf"^{address}/?\Z", view)


urlpatterns = [
    re_path(r"^\Z", site.index),
    either("_status", site.status),
    either("cas/login", site.login),
    either("logout", site.logout),
    either("authorize", authorize.authorize),
    either("authorize/decide", authorize.decide),
    either("token", token.token),
    either("1/user", v1.user),
    either("1/names", v1.names),
    either(r"1/names/(?P<profile_id>\w+)", v1.names),
    either("1/demo/user", v1.demo_user),
    either("1/demo/names", v1.demo_names),
    either("3/account", v3.account),
    either("3/profile", v3.profiles),
    either(r"3/profile/(?P<profile_id>\w+)", v3.profile),
    either("3/accession", v3.accessions),
    either(r"3/accession/(?P<accession_id>[\w.]+)", v3.accession),
]

handler404 = site.not_found
handler500 = site.server_error
