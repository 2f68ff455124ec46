"""selfsown's run without HTTP: every reply is there at once. What is left is its own cost."""

import asyncio

import selfsown_loop
from measured import Calls, contender

BODY = (
    b'{"model": "test-model", "choices": [{"index": 0, "finish_reason": "stop", "message":'
    b' {"role": "assistant", "content": "Number 17 it is, then."}}],'
    b' "usage": {"prompt_tokens": 12, "completion_tokens": 8}}'
)


def load() -> Calls:
    """The same program, its wire cut."""
    from multidict import CIMultiDict

    from selfsown.models.wire import Reply, Wire

    calls = selfsown_loop.load()
    headers = CIMultiDict({"Content-Type": "application/json", "Content-Length": str(len(BODY))})

    async def post(*given: object) -> Reply:
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        loop.call_soon(reply.set_result, None)
        await reply
        return Reply(200, headers, BODY)

    Wire.post = post  # type: ignore[method-assign, assignment]
    return calls


contender(load, selfsown_loop.page_cost)
