"""Proxies that the usual variables name: whether they are asked, and what they answer."""

import base64
import contextlib
import socket
import struct

from cases import Case, Surroundings
from networks import BIND, Listener, certificate, closed, encrypted, linked, nobody, silent

# No such name: only a proxy can lead there.
NAMED, NAMED_HTTPS = "http://hub.invalid", "https://hub.invalid"
# A file with an address of its own, which is an https one.
DIRECT = ("unet-reweight", "download", "inception")
LOGIN = "someone:something"


def head_of(listener, connection):
    """A request's head; what there is where it breaks off."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (said := listener.hear(connection)):
        head += said
    return head


def answer(status, *lines):
    """Answers every request so."""
    def meet(listener, connection):
        head_of(listener, connection)
        connection.sendall("\r\n".join([f"HTTP/1.1 {status}", "Content-Length: 0", *lines, "", ""]).encode())
    return meet


def forward(hub, login=None):
    """A proxy that works, for one request of each connection; every name is the hub's. It may want a login."""
    wanted = b"proxy-authorization: basic " + base64.b64encode(login.encode()).lower() if login else b""

    def meet(listener, connection):
        head = head_of(listener, connection)
        if not head:
            return
        if wanted not in head.lower():
            return connection.sendall(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n")
        request, _, rest = head.partition(b"\r\n")
        method, address, version = request.split(b" ")
        path = b"/" + address.split(b"/", 3)[3]
        with socket.create_connection(("127.0.0.1", hub.server_port)) as server:
            server.sendall(b" ".join([method, path, version]) + b"\r\nConnection: close\r\n" + rest)
            while said := server.recv(1 << 16):
                connection.sendall(said)
    return meet


def reset(listener, connection):
    """Resets the connection at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def granted(then):
    """Grants a way to the server, and is the server."""
    def meet(listener, connection):
        head = head_of(listener, connection)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n" if head else b"")
        with contextlib.suppress(OSError):
            then(listener, connection)
        silent(listener, connection)
    return meet


def garbage(listener, connection):
    """Sends what is no TLS."""
    listener.hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def through(*variables, meet=None, scheme="http://", address=NAMED, login=None):
    """The variables name a proxy that does `meet` with each connection, or one that works. On the way to an https
    address it must not hear the token."""
    @contextlib.contextmanager
    def around(hub):
        with Listener(meet or forward(hub, login)) as proxy:
            name = f"{LOGIN}@{proxy.address}" if login else proxy.address
            heard = proxy.heard if address == NAMED_HTTPS else []
            named = [f"{variable}={scheme}{name}" for variable in variables]
            yield Surroundings(address, named, heard=heard)
    return around


@contextlib.contextmanager
def impostor(hub):
    """A proxy that is the server itself, with a certificate that nobody signed; it keeps the connection."""
    with certificate("hub.invalid") as context:
        def speak(listener, connection):
            listener.heard.append(connection.recv(1 << 16, socket.MSG_PEEK))
            secure = context.wrap_socket(connection.dup(), server_side=True)
            listener.hear(secure)
        with through("HTTPS_PROXY", meet=granted(speak), address=NAMED_HTTPS)(hub) as around:
            yield around


def refusing(*variables, scheme="http://", exceptions=""):
    """The hub is at its address; the variables name a proxy where nobody listens, and addresses without a proxy."""
    @contextlib.contextmanager
    def around(hub):
        with nobody(hub) as place:
            name = scheme + place.address.removeprefix("http://")
            more = [f"{variable}={exceptions}" for variable in ("NO_PROXY", "no_proxy") if exceptions]
            yield Surroundings(hub.address, [f"{variable}={name}" for variable in variables] + more)
    return around


def tunnel(meet, **more):
    """The way to an https address is through a proxy that does `meet`."""
    return Case(around=through("HTTPS_PROXY", meet=meet, address=NAMED_HTTPS), **more)


CASES = {
    **{f"proxy, {variable}": Case(well=True, trouble=False, around=through(variable))
       for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")},
    "proxy, HTTPS_PROXY for http": Case(well=True, trouble=False, around=refusing("HTTPS_PROXY")),
    "proxy, NO_PROXY, the hub's address": Case(
        well=True, trouble=False, around=refusing("HTTP_PROXY", exceptions="localhost,127.0.0.1")),
    "proxy, NO_PROXY, all": Case(well=True, trouble=False, around=refusing("HTTP_PROXY", exceptions="*")),
    "proxy with a login": Case(well=True, trouble=False, around=through("HTTP_PROXY", login=LOGIN)),
    "proxy, connection refused": Case(around=refusing("HTTP_PROXY")),
    "proxy, https://": Case(around=refusing("ALL_PROXY", scheme="https://")),
    "proxy, socks5://": Case(around=refusing("ALL_PROXY", scheme="socks5://")),
    "proxy, socks5h://": Case(around=refusing("ALL_PROXY", scheme="socks5h://")),
    "proxy without a scheme": Case(well=True, trouble=False, around=through("HTTP_PROXY", scheme="")),
    "proxy, 407": Case(around=through("HTTP_PROXY", meet=answer("407 Proxy Authentication Required",
                                                                'Proxy-Authenticate: Basic realm="x"'))),
    "proxy, 403": Case(around=through("HTTP_PROXY", meet=answer("403 Forbidden"))),
    "proxy, 502": Case(around=through("HTTP_PROXY", meet=answer("502 Bad Gateway"))),
    "proxy, no answer": Case(around=through("HTTP_PROXY", meet=silent)),
    "proxy to https, 407": tunnel(answer("407 Login")),
    "proxy to https, 502": tunnel(answer("502 Bad Gateway")),
    "proxy to https, no answer": tunnel(silent),
    "proxy to https, closes": tunnel(closed),
    "proxy to https, reset": tunnel(reset),
    "proxy to https, grants, then garbage": tunnel(granted(garbage)),
    "proxy to https, grants, then silence": tunnel(granted(silent)),
    "proxy to https, grants, then another certificate": Case(around=impostor),
    "own address, no network": Case(around=linked, bind=BIND, command=DIRECT),
    "own address, proxy refuses": Case(around=refusing("HTTPS_PROXY"), command=DIRECT),
    "own address, 407": tunnel(answer("407 Login"), command=DIRECT),
    "own address, no answer": tunnel(silent, command=DIRECT),
    "own address, grants, then garbage": tunnel(granted(garbage), command=DIRECT),
}
