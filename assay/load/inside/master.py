"""The master of several workers: it passes on what they and Assay say.

It speaks Locust's own master/worker protocol: workers are acknowledged, numbered and
watched by Locust's `MasterRunner`; Assay's orders and what is answered travel as its
custom messages. Whoever reaches its port can send it anything, so what makes no sense
is dropped.
"""

import math
import socket
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.queue import Queue
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc.zmqrpc import BaseSocket
from locust.runners import STATE_MISSING, MasterRunner

from assay.load import protocol
from assay.load.inside import opened_locustfile
from assay.load.inside.opened_locustfile import Opened

MESSAGE = "assay"
LOOK = 0.2  # seconds between two looks at who is still there
EVENTS = ("joined", "answer", "tick")
JOINED: Mapping[str, type | tuple[type, ...]] = {
    "version": int,
    "host": str,
    "pid": int,
    "speed": (int, float),
}


def leader(host: str, port: int) -> Callable[[Environment], MasterRunner]:
    """Return what makes the runner of a master that listens there."""
    _harden()
    return lambda environment: environment.create_master_runner(host, port)


def _harden() -> None:
    """Have Locust's listener survive what is no message, or one of somebody else.

    As it is, a single malformed one ends it, and with it every worker.
    """
    receive, handle = BaseSocket.recv_from_client, MasterRunner.handle_message

    def recv_from_client(self: Any) -> Any:
        while True:
            try:
                sender, message = receive(self)
            except RPCError:
                raise  # of the network itself: Locust opens its port anew
            except Exception:
                gevent.sleep(0)
                continue
            if isinstance(message.type, str) and message.node_id == sender:
                return sender, message

    def handle_message(self: Any, client_id: str, msg: Any) -> None:
        try:
            handle(self, client_id, msg)
        except Exception as error:
            print(f"a message of {client_id!r} was dropped: {error!r}", flush=True)

    BaseSocket.recv_from_client = recv_from_client  # type: ignore[method-assign]
    MasterRunner.handle_message = handle_message  # type: ignore[method-assign]


class Master:
    """Between Assay and its workers.

    Attributes:
        port: Where workers join.
    """

    def __init__(
        self,
        found: Opened,
        channel: socket.socket,
        failure: Callable[[BaseException], dict[str, str]],
    ) -> None:
        """Listen to workers.

        Args:
            found: The locustfile.
            channel: To Assay.
            failure: Describes an error in the locustfile.
        """
        runner: Any = found.runner
        self._found, self._failure = found, failure
        self._runner, self._channel = runner, channel
        self._workers: dict[str, int] = {}  # client id to index
        # Whoever speaks does not wait until Assay listens: a listener that waits
        # hears no heartbeats, and would take its workers for lost.
        self._unsaid: Queue[tuple[dict[str, Any], bytes]] = Queue()
        self.port: int = runner.server.port
        runner.register_message(MESSAGE, self._heard)
        gevent.spawn(self._watch)

    def serve(self) -> bool:
        """Pass on Assay's orders, and what is said to it, until all is over.

        Returns:
            Whether Assay asked for the end; otherwise the channel was closed.
        """
        gevent.spawn(self._tell)
        runner = self._runner
        told, users = 0, 0  # workers that are to load, and users of all of them
        runner.quit = runner.stop = self._quit  # what a listener may call
        while True:
            try:
                order, _ = protocol.receive(self._channel)
            except (EOFError, OSError):
                order = {"do": ""}
            if order["do"] in ("", "finish"):
                del runner.quit, runner.stop
                return bool(order["do"])
            if order["do"] == "begin":
                self._unsaid.put((self._begin(), b""))
                continue
            index = order.pop("worker")
            if order["do"] == "load":
                told, users = told + 1, users + order["users"]
                if told == len(self._workers):
                    events = runner.environment.events
                    events.spawning_complete.fire(user_count=users)
            for client, known in self._workers.items():
                if known == index:
                    runner.send_message(MESSAGE, order, client)

    def _begin(self) -> dict[str, Any]:
        """Fire `test_start`, now that what it sends reaches all workers."""
        try:
            opened_locustfile.start(self._found)
        except Exception as error:
            return {"event": "begun", **self._failure(error)}
        return {"event": "begun"}

    def _heard(self, environment: Any, msg: Any) -> None:
        client, header, body = msg.node_id, msg.data["header"], msg.data["body"]
        if client not in self._runner.clients or header["event"] not in EVENTS:
            return
        if not isinstance(body, bytes):
            return
        if header["event"] == "joined":
            if client in self._workers or not _fits(header):
                return
            self._workers[client] = self._runner.get_worker_index(client)
            header = {name: header[name] for name in ("event", *JOINED)}
        elif client not in self._workers:
            # It was given up, and what it should have done is counted as lost.
            self._runner.send_message("quit", None, client)
            return
        self._unsaid.put(({**header, "worker": self._workers[client]}, body))

    def _quit(self) -> None:
        """Tell Assay that a listener of the master's ends the test."""
        self._unsaid.put(({"event": "quit"}, b""))

    def _watch(self) -> None:
        """Say who is there no more."""
        while True:
            gevent.sleep(LOOK)
            for client, index in list(self._workers.items()):
                node = self._runner.clients.get(client)
                if node is None:
                    why = "it left"
                elif node.state == STATE_MISSING:
                    why = "it is heard no more"
                else:
                    continue
                del self._workers[client]
                self._unsaid.put(({"worker": index, "event": "lost", "why": why}, b""))

    def _tell(self) -> None:
        """Tell Assay, one message after the other, until it listens no more."""
        while True:
            header, body = self._unsaid.get()
            try:
                protocol.send(self._channel, header, body)
            except OSError:
                return
            except Exception as error:  # it holds what no message of ours can
                print(f"a message was dropped: {error!r}", flush=True)
                self._give_up(header.get("worker", -1))

    def _give_up(self, index: int) -> None:
        """Hear no more of a worker that says what makes no sense."""
        for client, known in list(self._workers.items()):
            if known == index:
                del self._workers[client]
                self._runner.send_message("quit", None, client)
                self._unsaid.put(
                    ({"worker": index, "event": "lost", "why": protocol.NONSENSE}, b"")
                )


def _fits(header: Mapping[str, Any]) -> bool:
    """Say whether somebody who joins says what a worker says."""
    return all(
        isinstance(header.get(name), kind) for name, kind in JOINED.items()
    ) and (math.isfinite(header["speed"]) and header["speed"] > 0)
