"""Cookies of a service that has only a part of its host's paths."""

from __future__ import annotations

from .wire import Headers


def scoped(headers: Headers, prefix: str, host: str) -> Headers:
    """Put the prefix before the path of each cookie that is for this host."""
    result = headers.copy()
    result.remove("Set-Cookie")
    for cookie in headers.all("Set-Cookie"):
        result.add("Set-Cookie", _scoped(cookie, prefix, host))
    return result


def _scoped(cookie: str, prefix: str, host: str) -> str:
    value, *attributes = [part.strip() for part in cookie.split(";")]
    named = {attribute.partition("=")[0].lower(): attribute.partition("=")[2] for attribute in attributes}
    if named.get("domain", "") not in ("", host):
        return cookie
    path = "/".join(filter(None, [prefix.rstrip("/"), named.get("path", "").strip("/")]))
    others = [attribute for attribute in attributes if attribute.partition("=")[0].lower() != "path"]
    return "; ".join([value, f"Path={path}", *others])
