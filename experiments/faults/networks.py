"""Names that do not resolve, servers that speak no TLS or have a certificate of their own, networks that go away."""

import contextlib
import itertools
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from answers import HALF
from cases import Case, Surroundings, fetching, first
from heads import moved

NUMBERS = itertools.count()


class Listener:
    """A server on this machine that does with each connection what `meet` says; it keeps what it `heard`."""

    def __init__(self, meet, name="127.0.0.1"):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.address = f"{name}:{self.port}"
        self.meet, self.heard, self.closing = meet, [], threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with contextlib.suppress(OSError), connection:
            self.meet(self, connection)

    def hear(self, connection):
        """What comes next; nothing at the end."""
        said = connection.recv(1 << 16)
        self.heard.append(said)
        return said

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closing.set()
        self.socket.close()


def silent(listener, connection):
    """Takes what comes and never answers."""
    while listener.hear(connection):
        pass


def closed(listener, connection):
    """Hears the first words, and closes."""
    listener.hear(connection)


def drips(listener, connection):
    """Answers with a record of TLS of which a byte comes every two seconds."""
    listener.hear(connection)
    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
    while not listener.closing.wait(2):
        connection.sendall(b"\0")


def plain(listener, connection):
    """Answers in plain HTTP whatever it is asked."""
    listener.hear(connection)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@contextlib.contextmanager
def certificate(name="127.0.0.1"):
    """A TLS context with a certificate that nobody signed."""
    with tempfile.TemporaryDirectory() as folder:
        key, words = pathlib.Path(folder, "key.pem"), pathlib.Path(folder, "certificate.pem")
        kind = "IP" if name[0].isdigit() else "DNS"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}",
                        "-addext", "basicConstraints=critical,CA:FALSE",
                        "-keyout", key, "-out", words], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(words, key)
        yield context


def encrypted(context):
    """Speaks TLS, and closes after the first words."""
    def meet(listener, connection):
        listener.heard.append(connection.recv(1 << 16, socket.MSG_PEEK))
        with context.wrap_socket(connection, server_side=True) as secure:
            listener.hear(secure)
    return meet


def https(meet):
    """The hub's address is an https one, where `meet` listens."""
    @contextlib.contextmanager
    def around(hub):
        with Listener(meet) as listener:
            yield Surroundings(f"https://{listener.address}", heard=listener.heard)
    return around


@contextlib.contextmanager
def own_certificate(hub):
    """The hub's address is an https one, with a certificate of its own."""
    with certificate() as context, Listener(encrypted(context)) as listener:
        yield Surroundings(f"https://{listener.address}", heard=listener.heard)


@contextlib.contextmanager
def certificate_elsewhere(hub):
    """The other server speaks TLS, with a certificate of its own."""
    with certificate("localhost") as context, Listener(encrypted(context), "localhost") as listener:
        hub.other.address = f"https://{listener.address}"
        yield Surroundings(hub.address, heard=listener.heard)


@contextlib.contextmanager
def tls_at_http(hub):
    """The hub's address is an http one, of a server that speaks TLS."""
    with certificate() as context, Listener(encrypted(context)) as listener:
        yield Surroundings(f"http://{listener.address}")


def named(address):
    """The hub has a name."""
    @contextlib.contextmanager
    def around(hub):
        yield Surroundings(address)
    return around


@contextlib.contextmanager
def nobody(hub):
    """Nobody listens at the hub's address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield Surroundings(f"http://127.0.0.1:{port}")


class Link:
    """A network of this machine and one more: a pair of interfaces, of which one is in a name space of its own."""

    def __init__(self):
        number = next(NUMBERS)
        self.name = f"faults-{os.getpid()}-{number}"
        self.here, self.there = f"fh{os.getpid()}.{number}", f"ft{os.getpid()}.{number}"
        self.address, self.other = f"10.199.{number}.1", f"10.199.{number}.2"

    def ip(self, *words, inside=False):
        before = ["ip", "-n", self.name] if inside else ["ip"]
        subprocess.run([*before, *words], check=True, capture_output=True)

    def __enter__(self):
        self.ip("netns", "add", self.name)
        self.ip("link", "add", self.here, "type", "veth", "peer", "name", self.there, "netns", self.name)
        self.ip("addr", "add", f"{self.address}/30", "dev", self.here)
        self.ip("addr", "add", f"{self.other}/30", "dev", self.there, inside=True)
        self.ip("link", "set", self.there, "up", inside=True)
        self.ip("link", "set", self.here, "up")
        return self

    def __exit__(self, *error):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.ip("link", "del", self.here)
        self.ip("netns", "del", self.name)

    def set(self, state, inside):
        """Sets the interface here, or the one inside, up or down."""
        self.ip("link", "set", self.there if inside else self.here, state, inside=inside)


@contextlib.contextmanager
def linked(hub):
    """The download is in a network of its own, where nothing is but the hub."""
    with Link() as hub.link:
        before = ["/usr/bin/env", "ip", "netns", "exec", hub.link.name]
        yield Surroundings(f"http://{hub.link.address}:{hub.server_port}", before=before)


@contextlib.contextmanager
def mute_names(hub):
    """The hub has a name, and whoever is asked for its address never answers."""
    with Link() as link, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((link.address, 53))
        folder = pathlib.Path("/etc/netns", link.name)
        folder.mkdir(parents=True)
        try:
            (folder / "resolv.conf").write_text(f"nameserver {link.address}\n")
            yield Surroundings("http://hub.example", before=["/usr/bin/env", "ip", "netns", "exec", link.name])
        finally:
            (folder / "resolv.conf").unlink()
            folder.rmdir()


def away(inside, back=None):
    """Half of the file, then a network that is gone, and `back` after some seconds."""
    def fault(request):
        link = request.server.link
        request.file(until=HALF)
        request.close_connection = True
        time.sleep(0.5)
        link.set("down", inside)
        request.server.trouble = time.monotonic()
        if back and not request.server.closing.wait(back):
            link.set("up", inside)
        request.send(request.content[max(HALF, request.start):])
    return fault


BIND = "0.0.0.0"
CASES = {
    "connection refused": Case(around=nobody),
    "a name that does not resolve": Case(around=named("http://hub.invalid")),
    "a name that is none": Case(around=named("http://no..name")),
    "a name server that never answers": Case(around=mute_names),
    "an address without a scheme": Case(around=named("127.0.0.1:1")),
    "an address of another scheme": Case(around=named("ftp://127.0.0.1:1")),
    "https, no answer": Case(around=https(silent)),
    "https, drips": Case(around=https(drips)),
    "https, closes": Case(around=https(closed)),
    "https, plain HTTP": Case(around=https(plain)),
    "https, a certificate of its own": Case(around=own_certificate),
    "http, TLS": Case(around=tls_at_http),
    "redirects to https with a certificate of its own": Case(fetching, moved("Location: {other}{path}"),
                                                             around=certificate_elsewhere),
    "network away at the server, back after 20 s": Case(first(fetching), away(False, 20), well=True, around=linked,
                                                        bind=BIND),
    "network away at the server": Case(first(fetching), away(False), around=linked, bind=BIND),
    "network away here, back after 20 s": Case(first(fetching), away(True, 20), well=True, around=linked,
                                               bind=BIND),
    "network away here": Case(first(fetching), away(True), around=linked, bind=BIND),
}
