"""The bus itself: who subscribes to what, and who is told of a message. No I/O, and no call into a subscriber.

A message goes into the queue of each subscriber that asked for its topic, once, and the subscriber takes it when it
likes. So nobody waits for anybody: a queue that is full loses its oldest message, its subscriber is told how many
(`take_dropped`), and nobody else notices. Where all queues together hold too much, the one that holds most loses. What
says most in a plant is the newest value.

A retained message is kept for those that subscribe later, one for each topic, until it is replaced, or ended by an
empty one (MQTT 3.1.1, section 3.3.1.3). They live in memory: a restart of the agent forgets them.
"""

from edgelite.bus.topics import filter_levels, matches, topic_levels
from edgelite_protocol.errors import ProtocolError

PAYLOAD_BYTES_MAX = 16 * 1024  # all twins of a device with 60 properties
QUEUE_MESSAGES_MAX = 64  # of one subscriber; as many as can be retained, so that a new one gets them all
QUEUE_BYTES_MAX = 32 * 1024  # of one subscriber: the longest message, or many ordinary ones
QUEUES_BYTES_MAX = 128 * 1024  # of all together: half of what MicroPython's heap has left on 32 bits
FILTERS_MAX = 32  # of one subscriber: each costs each message a comparison
RETAINED_MAX = 64  # topics
RETAINED_BYTES_MAX = 32 * 1024  # topics and payloads together


class Message:
    """One message on its way; never changed, so that all queues share it."""

    def __init__(self, topic: str, payload: bytes, is_retained: bool = False) -> None:
        self.topic = topic
        self.payload = payload
        self.is_retained = is_retained  # it was published before the subscription was made

    @property
    def size_bytes(self) -> int:
        return len(self.topic) + len(self.payload)


class Subscriber:
    """One that is told of messages. It takes them with `take` until that gives None."""

    def __init__(self, messages_max: int = QUEUE_MESSAGES_MAX, bytes_max: int = QUEUE_BYTES_MAX) -> None:
        self.filters: dict[str, list[str]] = {}
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self.queued_bytes = 0
        self._queue: list[Message] = []
        self._dropped = 0

    @property
    def has_messages(self) -> bool:
        return bool(self._queue or self._dropped)

    def take(self) -> "Message | None":
        """The oldest message, which is the subscriber's from now on."""
        if not self._queue:
            return None
        message = self._queue.pop(0)
        self.queued_bytes -= message.size_bytes
        return message

    def take_dropped(self) -> int:
        """How many messages were lost in front of the next one, since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def put(self, message: Message) -> None:
        """The bus has a message for it."""
        self._queue.append(message)
        self.queued_bytes += message.size_bytes
        while len(self._queue) > self._messages_max or (self.queued_bytes > self._bytes_max and len(self._queue) > 1):
            self.drop()

    def drop(self) -> None:
        """There is no room for the oldest."""
        self.take()
        self._dropped += 1

    def wants(self, levels: "list[str]") -> bool:
        return any(matches(wanted, levels) for wanted in self.filters.values())


class MessageBus:
    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []
        self._served: list[list[str]] = []
        self._reserved: list[tuple[list[str], str]] = []
        self._retained: dict[str, Message] = {}
        self._retained_bytes = 0

    def serve(self, text: str) -> None:
        """Whoever is on the node may publish to this, also where it is reserved: a part of the agent answers."""
        self._served.append(filter_levels(text))

    def reserve(self, text: str, reason: str) -> None:
        """Only the agent's own parts publish to what this filter matches; `reason` tells others why."""
        self._reserved.append((filter_levels(text), reason))

    def subscribe(self, subscriber: Subscriber, text: str) -> None:
        """From now on `subscriber` gets what matches the filter `text`, and at once what is retained of it.
        ProtocolError: "bus_topic", "bus_full"."""
        levels = filter_levels(text)
        if text not in subscriber.filters and len(subscriber.filters) >= FILTERS_MAX:
            raise ProtocolError("bus_full", "a subscriber has at most %d filters" % FILTERS_MAX)
        subscriber.filters[text] = levels
        if subscriber not in self._subscribers:
            self._subscribers.append(subscriber)
        for topic in sorted(self._retained):
            if matches(levels, topic.split("/")):
                subscriber.put(self._retained[topic])
        self._make_room()

    def unsubscribe(self, subscriber: Subscriber, text: str) -> None:
        """The end of `subscribe` with the same filter; what is queued stays. Unknown filters are no harm."""
        subscriber.filters.pop(text, None)
        if not subscriber.filters:
            self.leave(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget it with all its filters."""
        subscriber.filters.clear()
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def publish(
        self,
        topic: str,
        payload: bytes,
        retain: bool = False,
        besides: "Subscriber | None" = None,
        from_outside: bool = False,
    ) -> int:
        """Give the message to all who want it, but for `besides` (a bridge must not hear its own); how many these were.
        ProtocolError: "bus_topic", "bus_reserved" (where `from_outside`: a local process, a broker), "bus_full" (too
        long, or no place to retain it); then nobody got it."""
        levels = topic_levels(topic)
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ProtocolError("bus_full", "a payload has at most %d bytes" % PAYLOAD_BYTES_MAX)
        if from_outside:
            self._check_outsider(topic, levels)
        message = Message(topic, payload)
        if retain:
            self._retain(message)
        reached = 0
        for subscriber in self._subscribers:
            if subscriber is not besides and subscriber.wants(levels):
                subscriber.put(message)
                reached += 1
        self._make_room()
        return reached

    def _make_room(self) -> None:
        while sum([subscriber.queued_bytes for subscriber in self._subscribers]) > QUEUES_BYTES_MAX:
            longest = self._subscribers[0]
            for subscriber in self._subscribers:
                if subscriber.queued_bytes > longest.queued_bytes:
                    longest = subscriber
            longest.drop()

    def _check_outsider(self, topic: str, levels: "list[str]") -> None:
        if any(matches(wanted, levels) for wanted in self._served):
            return
        for wanted, reason in self._reserved:
            if matches(wanted, levels):
                raise ProtocolError("bus_reserved", topic + ": " + reason)

    def is_wanted(self, topic: str) -> bool:
        """Whether anybody would be told: what nobody wants need not be written."""
        levels = topic.split("/")
        return any(subscriber.wants(levels) for subscriber in self._subscribers)

    def _retain(self, message: Message) -> None:
        old = self._retained.get(message.topic)
        old_bytes = old.size_bytes if old is not None else 0
        if not message.payload:
            self._retained.pop(message.topic, None)
            self._retained_bytes -= old_bytes
            return
        if old is None and len(self._retained) >= RETAINED_MAX:
            raise ProtocolError("bus_full", "%d topics are retained and no more" % RETAINED_MAX)
        if self._retained_bytes - old_bytes + message.size_bytes > RETAINED_BYTES_MAX:
            raise ProtocolError("bus_full", "%d bytes are retained and no more" % RETAINED_BYTES_MAX)
        self._retained[message.topic] = Message(message.topic, message.payload, True)
        self._retained_bytes += message.size_bytes - old_bytes
