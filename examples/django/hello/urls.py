"""A page that says which version serves, and one that says that it does."""

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path


def hello(request: HttpRequest) -> HttpResponse:
    """Greet."""
    return HttpResponse(f"Hello from Django {os.environ.get('KAMAL_VERSION', 'here')}\n")


def up(request: HttpRequest) -> HttpResponse:
    """Answer the health check."""
    return HttpResponse("ok\n")


urlpatterns = [path("", hello), path("up", up)]
