"""SANA-FE's rule for messages on their way, written anew: its ``detailed`` model on messages that snnc found.

A core sends one message after the other. A message sees the density along its way: each message that is not yet
received counts evenly over the links of its way, the first and the last one included. As far as the density is
above what the buffers along the way hold, the sender waits, for the mean service time of all messages that are not
yet received; and the way takes at least that mean for its share of the density. Then the target takes messages one
after the other, in the order of their sending. So messages wait for each other that never meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from plain_events import path, tile

BUFFER = 16
"""Messages that a link's buffer holds (loihi.yaml of SANA-FE 2.2.9)."""


@dataclass(frozen=True)
class Sent:
    """A message, or the updates behind the last one.

    Attributes:
        delay: nanoseconds since the one before, of the same core.
        target: core, None for no message.
        way: nanoseconds of the hops.
        service: nanoseconds at the target.
    """

    delay: float
    target: int | None = None
    way: float = 0.0
    service: float = 0.0


@dataclass(frozen=True)
class Travelling:
    """A message that is not yet received."""

    received: float
    links: Sequence[object]
    service: float
    target: int


@dataclass
class Mesh:
    """All messages that are not yet received."""

    density: dict[object, float] = field(default_factory=lambda: defaultdict(float))
    travelling: list[Travelling] = field(default_factory=list)
    mean: float = 0.0

    def enter(self, message: Travelling) -> None:
        for link in message.links:
            self.density[link] += 1 / (len(message.links) + 1)
        self.travelling.append(message)
        self.mean += (message.service - self.mean) / len(self.travelling)

    def receive_until(self, now: float) -> None:
        received = [message for message in self.travelling if message.received <= now]
        if not received:
            return
        others = len(self.travelling)
        self.travelling = [message for message in self.travelling if message.received > now]
        for message in sorted(received, key=lambda message: column_by_column(message.target)):
            for link in message.links:
                self.density[link] -= 1 / (len(message.links) + 1)
            others -= 1
            self.mean += (self.mean - message.service) / others if others else -self.mean


@cache
def column_by_column(core: int) -> int:
    """SANA-FE's number of a core."""
    (x, y), inner = tile(core), core % 4
    return (x * 4 + y) * 4 + inner


@cache
def links_of(source: int, target: int) -> list[object]:
    """The links whose messages count: that of the sending core, then those between tiles."""
    tiles, core = path(source, target), source % 4
    names: list[object] = [(tiles[0], core)]
    for number in range(1, len(tiles)):
        (x, y), (to_x, to_y) = tiles[number - 1], tiles[number]
        names.append((tiles[number], (to_x - x, to_y - y)))
    return names


class Queue:
    """The heap of C++'s standard library, which says what comes first of two things at one time."""

    def __init__(self) -> None:
        self.items: list[tuple[float, int, int]] = []

    def push(self, item: tuple[float, int, int]) -> None:
        self.items.append(item)
        self._rise(len(self.items) - 1, item)

    def _rise(self, at: int, item: tuple[float, int, int]) -> None:
        while at and self.items[(at - 1) // 2][0] > item[0]:
            self.items[at] = self.items[(at - 1) // 2]
            at = (at - 1) // 2
        self.items[at] = item

    def pop(self) -> tuple[float, int, int]:
        first, last, at = self.items[0], self.items.pop(), 0
        while 2 * at + 1 < len(self.items):
            below = 2 * at + 2
            if below == len(self.items) or self.items[below][0] > self.items[below - 1][0]:
                below -= 1
            self.items[at] = self.items[below]
            at = below
        if self.items:
            self._rise(at, last)
        return first


def length_at_once(queues: Mapping[int, Sequence[Sent]]) -> float:
    """Nanoseconds of a step without the barrier by the ``simple`` model: messages arrive when they are sent."""
    services: dict[int, float] = defaultdict(float)
    for message in (message for queue in queues.values() for message in queue):
        if message.target is not None:
            services[message.target] += message.service
    return max([*(sum(sent.delay for sent in queue) for queue in queues.values()), *services.values()])


def length_of_step(queues: Mapping[int, Sequence[Sent]]) -> float:
    """Nanoseconds of a step without the barrier, for the messages of each core in order."""
    mesh, waiting, last = Mesh(), Queue(), 0.0
    free: dict[int, float] = defaultdict(float)
    for core in sorted(queues, key=column_by_column):
        if queues[core]:
            waiting.push((queues[core][0].delay, core, 0))
    while waiting.items:
        now, core, number = waiting.pop()
        message = queues[core][number]
        mesh.receive_until(now)
        if message.target is not None:
            links = links_of(core, message.target)
            along = sum(mesh.density[link] for link in links)
            now += max(along - BUFFER * len(links), 0.0) * mesh.mean
            arrival = now + max(message.way, along * mesh.mean / len(links))
            received = max(free[message.target], arrival)
            free[message.target] = received + message.service
            mesh.enter(Travelling(received, links, message.service, message.target))
            last = max(last, free[message.target])
        last = max(last, now)
        if number + 1 < len(queues[core]):
            waiting.push((now + queues[core][number + 1].delay, core, number + 1))
    return last
