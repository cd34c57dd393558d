"""A hub on this machine with one small repository: what `unet-reweight download` asks a Hugging Face hub for.

The repository is `sd-2.1 --variant fp16`: the manifest has no hashes of its weights, so that the shipped model can
stand for them; it has those of CLIP's vocabulary, which is the real one.
"""

import functools
import hashlib
import http.server
import json
import threading
import time

from runs import ROOT

DOWNLOAD = ["unet-reweight", "download", "sd-2.1", "--variant", "fp16"]
REPOSITORY = "stabilityai/stable-diffusion-2-1"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "unet/diffusion_pytorch_model.fp16.safetensors"
TICK = 0.02


def vocabulary(merges):
    """CLIP's `vocab.json`, which follows from its merges."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [byte for byte in range(256) if byte not in plain]
    letters = [chr(byte) for byte in plain] + [chr(256 + place) for place in range(len(other))]
    joined = ["".join(line.split()) for line in merges.decode().splitlines()[1:] if line]
    words = letters + [letter + "</w>" for letter in letters] + joined + ["<|startoftext|>", "<|endoftext|>"]
    numbers = {word: number for number, word in enumerate(words)}
    return (json.dumps(numbers, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


@functools.cache
def files():
    """The repository: paths and contents."""
    model = ROOT / "models/emoji-sd"
    names = ["model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "unet/config.json",
             "vae/config.json", "tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json"]
    found = {name: (model / name).read_bytes() for name in names}
    for name in ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"):
        found[f"{name}.fp16.safetensors"] = (model / f"{name}.safetensors").read_bytes()
    merges = (ROOT / "models/clip-tokenizer/merges.txt").read_bytes()
    return found | {"tokenizer/merges.txt": merges, "tokenizer/vocab.json": vocabulary(merges)}


def etag(name, content):
    """What a hub calls a file: SHA-256 of large ones, git's hash of small ones."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Request(http.server.BaseHTTPRequestHandler):
    """One request; `name` is the file, `start` the first byte that is wanted, `before` how many like it came before,
    `served` how many came before on the same connection."""

    protocol_version = "HTTP/1.1"
    served = -1

    def log_message(self, *words):
        """Nothing is logged."""

    def do_GET(self):
        hub = self.server
        self.served += 1
        self.name = self.path.partition("/resolve/")[2].partition("/")[2]
        self.content = files().get(self.name, b"") if self.path.startswith(f"/{REPOSITORY}/resolve/") else b""
        self.start = int(self.headers.get("Range", "bytes=0-")[len("bytes="):].partition("-")[0])
        with hub.lock:
            self.before = sum(asked[:2] == (self.command, self.path) for asked in hub.asked)
            hub.asked.append((self.command, self.path, self.start, self.headers.get("Authorization")))
        try:
            if hub.when and hub.when(self):
                hub.trouble = hub.trouble or time.monotonic()
                hub.fault(self)
            elif self.content:
                time.sleep(hub.pause)
                self.file()
            else:
                self.say(404)
        except OSError:
            self.close_connection = True

    do_HEAD = do_GET

    def head(self, status, **headers):
        """Sends a status and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def say(self, status, body=b"", **headers):
        """Answers without a file."""
        self.head(status, Content_Length=len(body), **headers)
        self.send(body)

    def known(self):
        """The headers that tell what a file is."""
        return {"X_Repo_Commit": COMMIT, "ETag": f'"{etag(self.name, self.content)}"'}

    def file(self, content=None, length=None, until=None):
        """Answers with the file, or other `content`; promises another `length`; ends before the byte `until`."""
        content = self.content if content is None else content
        if self.start >= len(content):
            return self.say(416)
        rest, more = content[self.start:], {}
        if self.start:
            more["Content_Range"] = f"bytes {self.start}-{len(content) - 1}/{len(content)}"
        length = len(rest) if length is None else length
        self.head(206 if self.start else 200, Content_Length=length, **more, **self.known())
        self.send(rest if until is None else rest[:max(0, until - self.start)])

    def send(self, body):
        """Sends a body, at the hub's pace."""
        if self.command == "HEAD":
            return
        step = max(1, int(self.server.rate * TICK)) if self.server.rate else max(1, len(body))
        for at in range(0, len(body), step):
            self.wfile.write(body[at:at + step])
            self.server.sent += len(body[at:at + step])
            if self.server.rate:
                time.sleep(TICK)

    def silence(self):
        """Says nothing more until the hub closes."""
        self.server.closing.wait()
        self.close_connection = True


class Hub(http.server.ThreadingHTTPServer):
    """Answers until it is closed; requests that `when` is true of are answered by `fault`.

    `rate` is bytes in a second of each answer, `pause` the seconds before it.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, when=None, fault=None, rate=0, pause=0, name="127.0.0.1", bind="127.0.0.1"):
        super().__init__((bind, 0), Request)
        self.when, self.fault, self.rate, self.pause = when, fault, rate, pause
        self.address = f"http://{name}:{self.server_port}"
        self.asked, self.sent, self.trouble, self.other, self.link = [], 0, None, None, None
        self.lock, self.closing = threading.Lock(), threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def handle_error(self, request, client_address):
        """Connections that clients break are none."""

    def __exit__(self, *error):
        self.closing.set()
        self.shutdown()
        self.server_close()


@functools.cache
def slow():
    """A hub that takes a few seconds for the repository; it stays until the script ends."""
    return Hub(rate=4_000_000, pause=0.05)
