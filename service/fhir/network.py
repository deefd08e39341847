"""The way out: a name is resolved once, its addresses are checked, and the connection goes to one that was checked.

Looking a name up to check it, and again to connect, would let its owner answer differently the second time.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]

# Networks of IPv6 whose addresses carry one of IPv4 in their last, or second, four bytes.
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_SITE_LOCAL = IPv6Network("fec0::/10")
_SHARED = IPv4Network("100.64.0.0/10")
_SPECIAL = IPv4Network("192.0.0.0/24")
# Clouds hand out credentials at these addresses, which are not link-local like the usual one.
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))


class AddressNotAllowed(Exception):
    """Every address of a server's name lies where this service may not connect to."""


def is_allowed(text: str, *, private: bool) -> bool:
    """Whether an IP address may be connected to.

    Public ones may; loopback and private networks only where `private`; link-local addresses (the cloud's metadata),
    multicast, broadcast, unspecified and reserved ones never.
    """
    try:
        address = _innermost(ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if address.is_multicast or address.is_unspecified or address.is_link_local or address in _METADATA:
        return False
    if address.is_loopback:
        return private
    if address.is_reserved or address in _SPECIAL:
        return False
    return private if _is_private(address) else address.is_global


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return address.is_private or address in _SHARED or address in _SITE_LOCAL


def _innermost(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    if address in _6TO4:
        return IPv4Address(address.packed[2:6])
    return address.teredo[1] if address.teredo else address


async def resolved(host: str, port: int) -> Sequence[str]:
    """The IP addresses of a name, as the system knows them. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Opens the connections of httpcore. `private`: whether private networks are allowed."""

    def __init__(self, *, private: bool, resolve: Resolve = resolved) -> None:
        self._private = private
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first allowed address that answers.

        Raises `AddressNotAllowed`, `httpcore.ConnectError`.
        """
        try:
            addresses = dict.fromkeys(await self._resolve(host, port))
        except OSError:
            raise httpcore.ConnectError("the name is unknown") from None
        allowed = [each for each in addresses if is_allowed(each, private=self._private)]
        if not allowed and addresses:
            raise AddressNotAllowed
        for address in allowed:
            try:
                return _Stream(*await asyncio.open_connection(address, port))
            except OSError:
                continue
        raise httpcore.ConnectError("no address of the server answers")


class _Stream(httpcore.AsyncNetworkStream):
    """One connection. No time limits of its own: whoever asks has a budget and cancels."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await self._reader.read(max_bytes)
        except OSError:
            raise httpcore.ReadError from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError:
            raise httpcore.WriteError from None

    async def aclose(self) -> None:
        self._writer.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except (OSError, ssl.SSLError):
            await self.aclose()
            raise httpcore.ConnectError("TLS could not be agreed on") from None
        except BaseException:
            await self.aclose()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._writer.get_extra_info("ssl_object")
        # httpcore asks before it uses a connection again: readable while idle means that the server has hung up.
        return (self._reader.at_eof() or self._writer.is_closing()) if info == "is_readable" else None
