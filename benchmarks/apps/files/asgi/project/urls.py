import asyncio

from django.http import HttpRequest, HttpResponse
from django.urls import path
from project.answers import answer


async def root(request: HttpRequest) -> HttpResponse:
    text = answer(request.method or "", request.GET.get("nonce", ""), request.body)
    return HttpResponse(text, content_type="application/json")


async def slow(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(2)
    return await root(request)


urlpatterns = [path("", root), path("slow", slow), path("echo", root)]
