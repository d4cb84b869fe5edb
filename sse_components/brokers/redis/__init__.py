"""The broker for more than one process: Redis."""

from sse_components.brokers.redis.broker import RedisBroker

__all__ = ["RedisBroker"]
