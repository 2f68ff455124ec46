"""Where an endpoint is, as the journal key knows it, and the headers that open its door."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, urlsplit

from selfsown.models.settings import ModelSettings
from selfsown.models.uri import ModelURI


def identity_of(where: ModelURI) -> str:
    """URL + `#` + name for the journal key. The port is left out: it does not change an answer."""
    parts = urlsplit(where.base_url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{parts.path}#{where.name}"


def headers_of(
    settings: ModelSettings, where: ModelURI, api_key: str, key_header: str = "Authorization"
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Headers of every request, and the secrets in them and in the URL, which nothing may show."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    secrets = [api_key, where.query, *_query_values(where.query)]
    for value in settings.headers.values():
        secrets += [value, *value.split(maxsplit=1)[1:]]  # `Bearer KEY`: KEY alone, too
    if where.credentials is not None:
        user_and_password = ":".join(where.credentials)
        encoded = base64.b64encode(user_and_password.encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
        secrets += [user_and_password, where.credentials[1], encoded]
    if api_key:
        headers[key_header] = f"Bearer {api_key}" if key_header == "Authorization" else api_key
    headers.update(settings.headers)
    return headers, tuple(sorted((s for s in secrets if len(s) >= 4), key=len, reverse=True))


def _query_values(query: str) -> list[str]:
    """The values in a query, as written and as meant; versions are no secret, and help."""
    written = [pair.partition("=") for pair in query.split("&")]
    found = [(name, value) for name, _, value in written] + parse_qsl(query)
    return [value for name, value in found if name != "api-version"]
