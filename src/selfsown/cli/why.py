"""`selfsown why`: where a record comes from, why it was kept or not, what was asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from selfsown.cli.lineage import CallMade, Lineage, Link, trace
from selfsown.cli.main import shown


@click.command()
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("record_id", metavar="ID")
@click.option("--full", is_flag=True, help="Show the calls of all ancestors too.")
@click.option("--json", "as_json", is_flag=True, help="Print the lineage as JSON.")
def why(run_dir: Path, record_id: str, full: bool, as_json: bool) -> None:
    """Explain one record of the run in DIR: how it ended, its parents up to the seeds, its calls.

    ID is the id of an accepted, rejected or failed record, the beginning of one, or your own row's
    id.
    """
    lineage = trace(run_dir, record_id)
    if as_json:
        import orjson

        click.echo(orjson.dumps(asdict(lineage), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(lineage_lines(lineage, full=full)))


def lineage_lines(lineage: Lineage, *, full: bool = False) -> list[str]:
    """A lineage in words.

    Args:
        lineage: of a record.
        full: show the calls of demonstrations too, not only of the record and what it was made of.
    """
    told: set[str] = set()
    lines = [*link_lines(lineage.record), *_new_calls(lineage, lineage.record, told)]
    direct = {lineage.record.id}
    chain = [lineage.record]
    by_id = {link.id: link for link in lineage.ancestors}
    while len(chain[-1].parents) == 1 and chain[-1].parents[0] in by_id:
        chain.append(by_id[chain[-1].parents[0]])
        direct.add(chain[-1].id)
        lines += ["", "made of", *link_lines(chain[-1])]
        lines += _new_calls(lineage, chain[-1], told)
    others = [link for link in lineage.ancestors if link.id not in direct]
    if others:
        lines += ["", f"descends from {len(others)} others (demonstrations), nearest first"]
    for link in others:
        lines += link_lines(link)
        if full:
            lines += _new_calls(lineage, link, told)
    return lines


def link_lines(link: Link) -> list[str]:
    """A record: its id, stage, end and payload."""
    ended = link.end
    if link.reason:
        ended += f" ({shown(link.reason)})"
    if link.score is not None:
        ended += f", score {link.score:.4g}"
    lines = [f"{shown(link.id)}  {link.stage}  {ended}"]
    for name, value in link.payload.items():
        lines += _labelled(name, value)
    return lines


def _new_calls(lineage: Lineage, link: Link, told: set[str]) -> list[str]:
    """The calls of a record that have not been shown yet."""
    new = [key for key in link.keys if key in lineage.calls and key not in told]
    told.update(new)
    return [line for key in new for line in call_lines(lineage.calls[key])]


def call_lines(call: CallMade) -> list[str]:
    """Prompt, settings and answer of a call."""
    origin = f", copied from `{shown(call.source)}`" if call.source else ""
    lines = [f"  {call.kind} {call.key[:16]} to `{shown(call.model)}`{origin}"]
    for label, text in _asked(call.request):
        lines += _block(label, text)
    return [*lines, *_block("answer" if call.ok else "failed", call.answer)]


def _asked(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of a request, then its settings."""
    import orjson

    if "prompt" in request:
        yield "prompt", str(request["prompt"])
    for turn in request.get("messages", ()):
        yield str(turn.get("role", "message")), _text_of(turn)
    rest = {key: value for key, value in request.items() if key not in ("prompt", "messages")}
    yield "settings", orjson.dumps(rest).decode()


def _text_of(turn: Mapping[str, Any]) -> str:
    content = turn.get("content", "")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else [content]
    return "\n".join(
        str(part.get("text", "[image]")) if isinstance(part, Mapping) else str(part)
        for part in parts
    )


def _labelled(name: str, value: object) -> list[str]:
    import orjson

    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    first, *rest = shown(text).splitlines() or [""]
    return [f"    {shown(name)}: {first}", *(f"        {line}" for line in rest)]


def _block(label: str, text: str) -> list[str]:
    return [f"    {label}", *(f"      | {line}" for line in shown(text).splitlines() or [""])]
