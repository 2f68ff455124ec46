"""`data-designer`: a seed table and one text column; its closing profile of the data included."""

import os
from pathlib import Path

from measured import Calls, contender


def load() -> Calls:
    """What it imports."""
    os.environ |= {"NEMO_TELEMETRY_ENABLED": "false"}
    import data_designer.config as dd
    import pandas
    from data_designer.interface import DataDesigner

    def calls(url: str, count: int, concurrency: int, folder: Path) -> int:
        model = dd.ModelConfig(
            alias="writer",
            model="test-model",
            provider="local",
            skip_health_check=True,
            inference_parameters=dd.ChatCompletionInferenceParams(
                max_tokens=64, max_parallel_requests=concurrency
            ),
        )
        config = dd.DataDesignerConfigBuilder(model_configs=[model])
        rows = pandas.DataFrame({"number": range(count)})
        config.with_seed_dataset(dd.DataFrameSeedSource(df=rows))
        config.add_column(
            dd.LLMTextColumnConfig(
                name="text", model_alias="writer", prompt="Say number {{ number }}"
            )
        )
        provider = dd.ModelProvider(name="local", endpoint=url, api_key="none")
        designer = DataDesigner(artifact_path=folder, model_providers=[provider])
        found = designer.create(config, num_records=count).load_dataset()
        return int(found["text"].astype(bool).sum())

    return calls


contender(load)
