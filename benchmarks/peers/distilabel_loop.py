"""`distilabel`: a pipeline of two steps, batches as large as the concurrency."""

import os
from pathlib import Path

from measured import Calls, contender


def load() -> Calls:
    """What it imports; its steps run in processes of their own."""
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts
    from distilabel.steps.tasks import TextGeneration

    def calls(url: str, count: int, concurrency: int, folder: Path) -> int:
        os.environ["HF_DATASETS_CACHE"] = str(folder / "datasets")
        with Pipeline(name="numbers", cache_dir=folder) as pipeline:
            rows = LoadDataFromDicts(
                data=[{"instruction": f"Say number {number}"} for number in range(count)],
                batch_size=concurrency,
            )
            llm = OpenAILLM(
                model="test-model",
                base_url=url,
                api_key="none",
                generation_kwargs={"max_new_tokens": 64},
            )
            task = TextGeneration(llm=llm, input_batch_size=concurrency)
            rows >> task
        found = pipeline.run(use_cache=False)["default"]["train"]
        return sum(bool(text) for text in found["generation"])

    return calls


if __name__ == "__main__":  # its processes import this file again
    contender(load)
