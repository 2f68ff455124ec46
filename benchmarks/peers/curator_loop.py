"""`bespokelabs-curator`, its OpenAI online processor, rate limits out of the way, no telemetry.

It counts tokens with tiktoken, whose vocabulary would be a download; a vocabulary of the 256 bytes
stands in for it.
"""

import os
from pathlib import Path

from measured import Calls, contender


def load() -> Calls:
    """What it imports."""
    os.environ |= {"TELEMETRY_ENABLED": "0", "CURATOR_DISABLE_RICH_DISPLAY": "1"}
    import tiktoken
    from bespokelabs import curator

    def encoding(name: str) -> tiktoken.Encoding:
        ranks = {bytes([number]): number for number in range(256)}
        return tiktoken.Encoding(name, pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={})

    tiktoken.get_encoding = tiktoken.encoding_for_model = encoding

    class Say(curator.LLM):
        def prompt(self, row: dict) -> str:
            return f"Say number {row['number']}"

        def parse(self, row: dict, response: str) -> dict:
            return {"number": row["number"], "text": response}

    def calls(url: str, count: int, concurrency: int, folder: Path) -> int:
        model = Say(
            model_name="test-model",
            backend="openai",
            backend_params={
                "base_url": url,
                "api_key": "none",
                "max_requests_per_minute": 10**8,
                "max_tokens_per_minute": 10**11,
                "max_concurrent_requests": concurrency,
            },
            generation_params={"max_tokens": 64},
        )
        found = model([{"number": number} for number in range(count)], working_dir=str(folder))
        return sum(bool(text) for text in found.dataset["text"])

    return calls


contender(load)
