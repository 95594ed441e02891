"""The addresses of Loci."""

from django.contrib import admin
from django.urls import path

from .views import files, pages, signin, status

urlpatterns = [
    path("", pages.index, name="index"),
    path("home/", pages.home, name="home"),
    path("accession/<str:accession_id>/", pages.accession, name="accession"),
    path("profile/", signin.switch_profile, name="switch-profile"),
    path("login/", signin.login, name="login"),
    path("receive_code/", signin.receive_code, name="receive-code"),
    path("logout/", signin.logout, name="logout"),
    path("favicon.ico", files.favicon),
    path("robots.txt", files.robots),
    path("_status/", status.status, name="status"),
    path("_auth_status/", status.auth_status, name="auth-status"),
    path("admin/", admin.site.urls),
]

handler400 = "loci.views.failures.bad_request"
handler403 = "loci.views.failures.forbidden"
handler404 = "loci.views.failures.not_found"
handler500 = "loci.views.failures.server_error"
