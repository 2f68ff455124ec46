"""The limit: an aiohttp session on uvloop, workers over one iterator, no journal, no checks."""

from pathlib import Path

from measured import Calls, contender


def load() -> Calls:
    """Nothing but the client."""
    import asyncio

    import aiohttp
    import orjson
    import uvloop

    async def loop(url: str, count: int, concurrency: int) -> int:
        connector = aiohttp.TCPConnector(limit=concurrency)
        numbers, texts = iter(range(count)), list[str]()
        async with aiohttp.ClientSession(connector=connector) as session:

            async def worker() -> None:
                for number in numbers:
                    body = {
                        "model": "test-model",
                        "messages": [{"role": "user", "content": f"Say number {number}"}],
                        "max_tokens": 64,
                    }
                    async with session.post(
                        f"{url}/chat/completions",
                        data=orjson.dumps(body),
                        headers={"Content-Type": "application/json"},
                    ) as response:
                        answer = orjson.loads(await response.read())
                        texts.append(answer["choices"][0]["message"]["content"])

            await asyncio.gather(*(worker() for _ in range(concurrency)))
        return len(texts)

    def calls(url: str, count: int, concurrency: int, folder: Path) -> int:
        return uvloop.run(loop(url, count, concurrency))

    return calls


contender(load)
