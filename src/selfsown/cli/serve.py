"""`selfsown serve`: an OpenAI-compatible server for any model."""

from __future__ import annotations

import click


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; any but a loopback address needs --api-key.",
)
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--api-key",
    default="",
    envvar="SELFSOWN_API_KEY",
    metavar="KEY",
    help="Key that clients must send; also from SELFSOWN_API_KEY.",
)
@click.option("--name", default="", help="Name that clients use; by default MODEL's last part.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the model's backend, for example dtype=float32 of hf.",
)
def serve(
    model: str, host: str, port: int, api_key: str, name: str, assignments: tuple[str, ...]
) -> None:
    """Serve MODEL to OpenAI-compatible clients until Ctrl-C.

    MODEL is any model URI: lab, hf:PATH, http://HOST:PORT/v1#NAME, scripted:FILE, ... Routes:
    /v1/chat/completions, /v1/completions, /v1/models, /health. A request without `seed` gets one
    derived from its body, so equal requests get equal answers. Prints one line with the URL.
    """
    import asyncio

    from selfsown.core.config import apply_set
    from selfsown.models.uri import open_model
    from selfsown.server.app import Served
    from selfsown.server.serve import Address, check_address, serve_until_stopped

    address = Address(host, port)
    check_address(address, api_key)
    settings = {"uri": model}
    for assignment in assignments:
        apply_set(settings, assignment)
    opened = open_model(settings)
    shown = name or _default_name(opened.uri)

    def announce(url: str) -> None:
        click.echo(f"serving `{shown}` at {url}")

    asyncio.run(serve_until_stopped(Served(opened, shown, api_key), address, announce=announce))


def _default_name(uri: str) -> str:
    """The name behind `#` of an endpoint; else the last part of a path or hub name."""
    _, is_endpoint, name = uri.partition("#")
    return name if is_endpoint else uri.rpartition(":")[2].rstrip("/").rpartition("/")[2]
