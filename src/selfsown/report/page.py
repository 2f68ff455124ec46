"""`report.html` and `report.json`: the numbers of a run as one page without network, and as data.

Everything that a model wrote passes `shown` and the template's escaping; only our own SVG is marked
as safe.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from selfsown.core.rundir import whole_file
from selfsown.report.absent import Absent
from selfsown.report.groups import SAMPLE
from selfsown.report.headline import headline
from selfsown.report.numbers import Numbers, read_numbers, to_json
from selfsown.report.page_environment import page_environment
from selfsown.report.payload import value_text
from selfsown.report.pictures import draw_charts
from selfsown.report.shown import shown_line
from selfsown.report.svg import CHART_CSS


def write_report(run_dir: Path, numbers: Numbers | None = None) -> None:
    """Write `report.html` and `report.json` of a run directory, each as a whole or not at all.

    Args:
        run_dir: a run directory, finished or not.
        numbers: what `read_numbers` said about it, where that is known; None reads it.

    Raises:
        InputError: the directory is no run directory, or a file in it cannot be read.
        JournalDamaged: the journal's checksums do not hold.
        EnvironmentFailure: the files cannot be written.
    """
    numbers = numbers or read_numbers(run_dir)
    for name, content in (
        ("report.json", to_json(numbers)),
        ("report.html", render_page(numbers).encode()),
    ):
        with whole_file(run_dir / name) as file:
            file.write(content)


def render_page(numbers: Numbers) -> str:
    """The page as text; the same numbers give the same text."""
    environment = page_environment()
    environment.filters["shown"] = lambda value: shown_line(value_text(value), 300)
    environment.tests["absent"] = lambda section: isinstance(section, Absent)
    page = environment.get_template("report.html.j2")
    return page.render(
        n=numbers,
        head=headline(numbers),
        charts=draw_charts(numbers),
        sample_size=SAMPLE,
        chart_css=Markup(CHART_CSS),  # noqa: S704 a constant of ours
    )
