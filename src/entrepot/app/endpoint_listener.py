"""Endpoints of a worker: what is to be listened on is asked of the database each second, sockets of the supervisor.

Who connects is looked at before TLS and before anything else: a client outside of the endpoint's networks is refused,
and a trusted proxy must say in the PROXY protocol for whom it speaks. Every request is checked again by
`service/vpc/passage.py`, so what is known here may be a second old.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from entrepot.app.child import Reporter
from entrepot.app.deployment import Deployment
from entrepot.app.endpoint_socket import Message, receive
from entrepot.app.front import Front, Heard
from entrepot.app.listener import ELSEWHERE, Listener, ListenerError, tls_context
from entrepot.app.wiring import Application
from entrepot.domain.passage import Gate
from entrepot.domain.vpc_subnet import Networks, is_within, networks_of
from entrepot.service.vpc.listening import ListeningService, WantedGate
from entrepot.transport.connection import ConnectionServer
from entrepot.transport.proxy_protocol import ProxyHeaderInvalid, read_proxied_client

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
RETRY_LOOKS: Final = 5
"""Looks after which a socket that did not come is asked for again."""


@dataclass(slots=True)
class _Open:
    """A gate that is listened on, or is about to be."""

    wanted: WantedGate
    networks: Networks
    heard: Heard | None = None
    looks: int = 0
    """Since anything was said of it to the supervisor."""
    problem: str = ""
    is_told: bool = True
    """Whether the problem has been reported, if it is to be."""


@dataclass(slots=True)
class EndpointListeners:
    """All endpoints of one worker."""

    deployment: Deployment
    application: Application
    front: Front
    reporter: Reporter
    open: dict[str, _Open] = field(default_factory=dict)
    """By address."""
    _epoch: int = -1
    _closed: set[str] = field(default_factory=set)
    _leaving: frozenset[Gate] = frozenset()
    _news: list[Message] = field(default_factory=list)

    @property
    def listening(self) -> ListeningService:
        """What is asked of the database."""
        return self.application.services.listening

    async def run(self) -> None:
        """Keep up with the network for ever."""
        channel = self.reporter.channel
        arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(channel, partial(self._take, arrived))
        try:
            while True:
                try:
                    await self.look()
                except Exception as error:  # noqa: BLE001 (the next look may do better)
                    log.warning("endpoints.not_seen", error=type(error).__name__, reason=str(error)[:200])
                    self._epoch = -1
                await self._wait(arrived)
        finally:
            loop.remove_reader(channel)

    async def look(self) -> None:
        """Open and close what has changed; also what did not work before."""
        epoch = await self.listening.epoch()
        if epoch != self._epoch or self._leaving or any(not one.wanted.is_available for one in self.open.values()):
            wanted = await self.listening.wanted()
            self._epoch, self._leaving = epoch, frozenset(wanted.leaving)
            self._change({one.gate.address: one for one in wanted.gates})
        for one in self.open.values():
            one.looks += 1
            if one.looks > RETRY_LOOKS and (one.heard is None or not one.wanted.is_available):
                self._ask(one)
            if not one.is_told:
                one.is_told = True
                await self.listening.report_problem(one.wanted.gate, one.problem)
        await self._report_closed()

    async def _wait(self, arrived: asyncio.Event) -> None:
        """A while, in which the supervisor's answers are heeded as they come."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOK_SECONDS
        while (left := until - loop.time()) > 0:
            try:
                await asyncio.wait_for(arrived.wait(), left)
            except TimeoutError:
                return
            arrived.clear()
            while self._news:
                await self._heed(self._news.pop(0))

    def _take(self, arrived: asyncio.Event) -> None:
        while (message := receive(self.reporter.channel)) is not None:
            self._news.append(message)
        arrived.set()

    def _change(self, wanted: dict[str, WantedGate]) -> None:
        for address, known in list(self.open.items()):
            new = wanted.get(address)
            if new is not None and new.gate == known.wanted.gate:
                known.wanted, known.networks = new, networks_of(new.cidrs)
                continue
            self._close(known)
            del self.open[address]
            if new is None:
                self.reporter.say("unbind", address)
        for address, one in wanted.items():
            if address not in self.open:
                self._closed.discard(address)
                self.open[address] = _Open(one, networks_of(one.cidrs))
                self._ask(self.open[address])
        for gate in self._leaving:
            self.reporter.say("unbind", gate.address)

    def _ask(self, one: _Open) -> None:
        one.looks = 0
        address = one.wanted.gate.address
        if one.heard is not None:
            self.reporter.say("listening", f"{address} {one.wanted.gate.endpoint_id}")
        elif problem := self._problem(address):
            self._note_problem(one, problem)
        else:
            self.reporter.say("bind", address)

    def _problem(self, address: str) -> str | None:
        """Why an address must not be listened on with these settings."""
        try:
            listener = self._listener(address)
            tls_context(listener)
        except (ListenerError, ValueError) as error:
            return str(error)
        if not (listener.is_secure or listener.is_loopback or self.deployment.settings.insecure):
            return f"{address} is plain HTTP that other machines reach: use https, or set `insecure`"
        return None

    def _listener(self, address: str) -> Listener:
        """With the certificate of the server's own listeners."""
        listener = Listener.parse(address)
        if not listener.is_secure:
            return listener
        settings = self.deployment.settings
        certificate, key = settings.tls_certificate, settings.tls_key
        secure = next((one for one in self.deployment.listeners if one.certificate and one.key), None)
        if secure is not None:
            certificate, key = secure.certificate, secure.key
        return listener if certificate is None or key is None else listener.with_tls(certificate, key)

    async def _heed(self, message: Message) -> None:
        one = self.open.get(message.url)
        if message.socket is not None:
            await self._begin(one, message.socket)
        elif message.is_closed:
            self._closed.add(message.url)
            await self._report_closed()
        elif one is not None and message.problem:
            self._note_problem(one, message.problem)
        elif one is not None and message.endpoint == one.wanted.gate.endpoint_id:
            await self.listening.report_listening(one.wanted.gate)

    async def _begin(self, one: _Open | None, handed: socket.socket) -> None:
        if one is None or one.heard is not None:
            handed.close()
            return
        gate = one.wanted.gate
        application, seconds = self.application, self.deployment.settings.idle_timeout_seconds
        one.heard = await self.front.listen(
            application.handler(gate.address, gate),
            handed,
            tls_context(self._listener(gate.address)),
            seconds,
            application.open_lane(gate.address, gate),
            partial(self._admit, one),
        )
        log.info("endpoint.listening", endpoint=gate.endpoint_id, address=gate.address)
        self._ask(one)

    async def _admit(
        self, one: _Open, server: ConnectionServer, accepted: socket.socket
    ) -> Callable[[], asyncio.Protocol] | None:
        """The protocol of a connection, if its client may come in."""
        client: str = accepted.getpeername()[0]
        if is_within(client, self.deployment.settings.trusted_proxies):
            try:
                client = await read_proxied_client(accepted) or client
            except ProxyHeaderInvalid as error:
                log.warning("endpoint.no_proxy_header", proxy=client, reason=str(error))
                return None
        if not is_within(client, one.networks):
            log.info("endpoint.refused", endpoint=one.wanted.gate.endpoint_id, client=client)
            return None
        return partial(server, client)

    def _note_problem(self, one: _Open, problem: str) -> None:
        if problem != one.problem:
            one.problem = problem
            one.is_told = ELSEWHERE in problem  # another server of this database may have it
            log.warning("endpoint.not_listening", endpoint=one.wanted.gate.endpoint_id, reason=problem)

    def _close(self, one: _Open) -> None:
        if one.heard is not None:
            self.front.stop(one.heard)
            log.info("endpoint.closed", endpoint=one.wanted.gate.endpoint_id, address=one.wanted.gate.address)

    async def _report_closed(self) -> None:
        leaving = {gate.address for gate in self._leaving} & self._closed
        if leaving:
            await self.listening.report_closed(leaving)
