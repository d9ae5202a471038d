"""Redis as a result store that is only ever asked, never listened to."""

from __future__ import annotations

from typing import Any

from celery.backends.redis import RedisBackend


class PolledRedisBackend(RedisBackend):  # type: ignore[misc]
    """Celery subscribes to every task that it sends, and waits 20 s a task while Redis is away. We poll."""

    def on_task_call(self, _producer: Any, _task_id: str) -> None:
        """Subscribes to nothing."""
