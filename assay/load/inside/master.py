"""The master of several workers: it passes messages between them and Assay.

It speaks Locust's own master/worker protocol: workers are acknowledged, numbered and
watched by Locust's `MasterRunner`. Assay's orders and their answers travel as custom
messages of that protocol. Anybody who reaches the master's port can send it anything,
so malformed messages are dropped.
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
from assay.load.inside.opened_locustfile import OpenedLocustfile
from assay.load.protocol import Message

MESSAGE = "assay"  # the type of Assay's custom messages
WATCH_INTERVAL = 0.2  # seconds between two checks for workers that have gone
MAX_PROOF = 64  # characters of `protocol.proof`
EVENTS = ("joined", "answer", "tick")
JOINED_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "version": int,
    "host": str,
    "pid": int,
    "speed": (int, float),
}


def master_runner(host: str, port: int) -> Callable[[Environment], MasterRunner]:
    """Return a function that makes the runner of a master listening on an address."""
    _harden()
    return lambda environment: environment.create_master_runner(host, port)


def _harden() -> None:
    """Make Locust's listener drop malformed messages and those with a false sender.

    Otherwise the first malformed message would end the listener, and the master would
    lose all workers.
    """
    receive, handle = BaseSocket.recv_from_client, MasterRunner.handle_message

    def recv_from_client(self: Any) -> Any:
        while True:
            try:
                sender, message = receive(self)
            except RPCError:
                raise  # an error of the network: Locust opens its port again
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
    """Passes messages between Assay and its workers.

    Attributes:
        port: The port that workers connect to.
    """

    def __init__(
        self,
        locustfile: OpenedLocustfile,
        channel: socket.socket,
        failure: Callable[[BaseException], dict[str, str]],
    ) -> None:
        """Listen for workers.

        Args:
            locustfile: The locustfile.
            channel: The channel to Assay.
            failure: Describes an error in the locustfile.
        """
        runner: Any = locustfile.runner
        self._locustfile, self._failure = locustfile, failure
        self._runner, self._channel = runner, channel
        self._workers: dict[str, int] = {}  # client id to index
        # Messages to Assay are queued. If the listener waited until Assay reads a
        # message, it would hear no heartbeats and take its workers for lost.
        self._outgoing: Queue[Message] = Queue()
        self.port: int = runner.server.port
        runner.register_message(MESSAGE, self._on_message)
        gevent.spawn(self._watch_workers)

    def serve(self) -> bool:
        """Pass on messages until Assay ends the test or closes the channel.

        Returns:
            Whether Assay ended the test; otherwise the channel was closed.
        """
        gevent.spawn(self._send_outgoing)
        runner = self._runner
        loading, users = 0, 0  # workers that were told to load, and all their users
        runner.quit = runner.stop = self._report_quit  # a locustfile may call them
        while True:
            try:
                order, _ = protocol.receive(self._channel)
            except (EOFError, OSError):
                order = {"do": ""}
            if order["do"] in ("", "finish"):
                del runner.quit, runner.stop
                return bool(order["do"])
            if order["do"] == "begin":
                self._queue(self._begin())
                continue
            index = order.pop("worker")
            if order["do"] == "load":
                loading, users = loading + 1, users + order["users"]
                if loading == len(self._workers):
                    events = runner.environment.events
                    events.spawning_complete.fire(user_count=users)
                    loading, users = 0, 0  # the next load of the same test begins anew
            for client, worker in self._workers.items():
                if worker == index:
                    runner.send_message(MESSAGE, order, client)

    def _begin(self) -> dict[str, Any]:
        """Fire `test_start`; all workers have joined and receive what it sends."""
        try:
            opened_locustfile.fire_test_start(self._locustfile)
        except Exception as error:
            return {"event": "begun", **self._failure(error)}
        return {"event": "begun"}

    def _on_message(self, environment: Any, msg: Any) -> None:
        """Pass on a worker's message, unless it is malformed."""
        client, header, body = msg.node_id, msg.data["header"], msg.data["body"]
        if client not in self._runner.clients or header["event"] not in EVENTS:
            return
        if not isinstance(body, bytes):
            return
        if header["event"] == "joined":
            if client in self._workers or not _is_joined(header):
                return
            self._workers[client] = self._runner.get_worker_index(client)
            proof = str(header.get("proof", ""))[:MAX_PROOF]
            header = {name: header[name] for name in ("event", *JOINED_FIELDS)}
            header["proof"] = proof
        elif client not in self._workers:
            # This worker was given up, and its outstanding arrivals were counted as
            # unserved.
            self._runner.send_message("quit", None, client)
            return
        self._queue({**header, "worker": self._workers[client]}, body)

    def _queue(self, header: dict[str, Any], body: bytes = b"") -> None:
        self._outgoing.put((header, body))

    def _report_quit(self) -> None:
        """Report that one of the master's listeners ends the test."""
        self._queue({"event": "quit"})

    def _report_lost(self, index: int, why: str) -> None:
        self._queue({"worker": index, "event": "lost", "why": why})

    def _watch_workers(self) -> None:
        """Report workers that have gone."""
        while True:
            gevent.sleep(WATCH_INTERVAL)
            for client, index in list(self._workers.items()):
                node = self._runner.clients.get(client)
                if node is None:
                    why = "it left"
                elif node.state == STATE_MISSING:
                    why = "it sends no more heartbeats"
                else:
                    continue
                del self._workers[client]
                self._report_lost(index, why)

    def _send_outgoing(self) -> None:
        """Send the queued messages to Assay, until the channel is closed."""
        while True:
            header, body = self._outgoing.get()
            try:
                protocol.send(self._channel, header, body)
            except OSError:
                return
            except Exception as error:  # a worker sent a value that JSON cannot hold
                print(f"a message was dropped: {error!r}", flush=True)
                self._give_up(header.get("worker", -1))

    def _give_up(self, index: int) -> None:
        """Give up a worker that sends malformed messages."""
        for client, worker in list(self._workers.items()):
            if worker == index:
                del self._workers[client]
                self._runner.send_message("quit", None, client)
                self._report_lost(index, protocol.MALFORMED)


def _is_joined(header: Mapping[str, Any]) -> bool:
    """Return whether the fields of a `joined` message are valid."""
    return all(
        isinstance(header.get(name), kind) for name, kind in JOINED_FIELDS.items()
    ) and (math.isfinite(header["speed"]) and header["speed"] > 0)
