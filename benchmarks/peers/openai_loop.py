"""The plain loop: the OpenAI SDK's async client, workers over one iterator."""

from pathlib import Path

from measured import Calls, contender


def load() -> Calls:
    """The SDK with its aiohttp client, which is faster than its default one."""
    import asyncio

    import uvloop
    from openai import AsyncOpenAI, DefaultAioHttpClient

    async def loop(url: str, count: int, concurrency: int) -> int:
        numbers, texts = iter(range(count)), list[str]()
        client = AsyncOpenAI(base_url=url, api_key="none", http_client=DefaultAioHttpClient())
        async with client:

            async def worker() -> None:
                for number in numbers:
                    answer = await client.chat.completions.create(
                        model="test-model",
                        messages=[{"role": "user", "content": f"Say number {number}"}],
                        max_tokens=64,
                    )
                    texts.append(answer.choices[0].message.content or "")

            await asyncio.gather(*(worker() for _ in range(concurrency)))
        return len(texts)

    def calls(url: str, count: int, concurrency: int, folder: Path) -> int:
        return uvloop.run(loop(url, count, concurrency))

    return calls


contender(load)
