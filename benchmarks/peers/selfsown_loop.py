"""The same calls as a run of selfsown, all on: journal, budget, limits, progress."""

import time
from pathlib import Path

from measured import Calls, contender


def load() -> Calls:
    """What a run imports, its report included."""
    import uvloop

    import selfsown
    import selfsown.core.finish
    import selfsown.models.endpoint
    import selfsown.recipes.complete
    import selfsown.report.card
    import selfsown.report.page
    import selfsown.runner

    def calls(url: str, count: int, concurrency: int, folder: Path) -> int:
        run = selfsown.arun(
            "complete",
            rows=({"number": number} for number in range(count)),
            prompt="Say number {{ number }}",
            max_tokens=64,
            model={"uri": f"{url}#test-model", "price": {"input": 0.1, "output": 0.4}},
            budget_usd=100.0,
            concurrency=concurrency,
            out=folder / "run",
        )
        return len(uvloop.run(run).accepted)

    return calls


def page_cost(folder: Path) -> dict[str, float]:
    """CPU seconds of writing report and card once more, which the run did once after its calls."""
    from selfsown.report.card import write_card
    from selfsown.report.numbers import read_numbers
    from selfsown.report.page import write_report

    began = time.process_time()
    numbers = read_numbers(folder / "run")
    write_report(folder / "run", numbers)
    write_card(folder / "run", numbers)
    return {"page_s": time.process_time() - began}


if __name__ == "__main__":
    contender(load, page_cost)
