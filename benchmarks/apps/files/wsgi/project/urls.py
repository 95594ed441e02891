import time

from django.http import HttpRequest, HttpResponse
from django.urls import path
from project.answers import answer


def root(request: HttpRequest) -> HttpResponse:
    text = answer(request.method or "", request.GET.get("nonce", ""), request.body)
    return HttpResponse(text, content_type="application/json")


def slow(request: HttpRequest) -> HttpResponse:
    time.sleep(2)
    return root(request)


def wait(request: HttpRequest) -> HttpResponse:
    time.sleep(min(float(request.GET.get("ms", "0")), 10_000) / 1000)
    return root(request)


urlpatterns = [path("", root), path("slow", slow), path("echo", root), path("wait", wait)]
