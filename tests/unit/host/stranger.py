"""A worker written from docs/worker-protocol.md alone: standard library, no polyhost.

It echoes bodies in upper case; a body may also be an order: ``die``, ``kill``, ``sleep
SECONDS``, ``stream COUNT SIZE``, ``garbage``, ``error``, ``spin``. It takes no descriptors.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
import time

HEADER = struct.Struct("<IIQBBH")
REQUEST, REPLY, ERROR, CANCEL, CREDIT = 1, 2, 3, 4, 5
INIT, READY, PING, PONG, STOP, INTERRUPT = 16, 17, 18, 19, 20, 21
MORE = 1
WINDOW = 256 * 1024


def read_exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data


def read_frame(sock: socket.socket) -> tuple[int, int, int, bytes, bytes]:
    meta_size, body_size, id, kind, flags, _ = HEADER.unpack(read_exactly(sock, HEADER.size))
    meta = read_exactly(sock, meta_size)
    return kind, flags, id, meta, read_exactly(sock, body_size)


def write_frame(
    sock: socket.socket, kind: int, id: int, meta: object = None, body: bytes = b"", flags: int = 0
) -> None:
    text = b"" if meta is None else json.dumps(meta).encode()
    sock.sendall(HEADER.pack(len(text), len(body), id, kind, flags, 0) + text + body)


def control_loop(sock: socket.socket) -> None:
    while True:
        kind, _, id, _, _ = read_frame(sock)
        if kind == PING:
            write_frame(sock, PONG, id)


class Worker:
    def __init__(self, data: socket.socket) -> None:
        self.data = data
        self.waiting: list[tuple[int, int, int, bytes, bytes]] = []

    def run(self) -> None:
        bodies: dict[int, bytes] = {}
        while True:
            frame = self.waiting.pop(0) if self.waiting else read_frame(self.data)
            kind, flags, id, _, body = frame
            if kind == CANCEL:
                bodies.pop(id, None)
                continue
            if kind == PING:
                write_frame(self.data, PONG, id)
            if kind != REQUEST:
                continue
            bodies[id] = bodies.get(id, b"") + body
            if not flags & MORE:
                self.answer(id, bodies.pop(id))

    def answer(self, id: int, body: bytes) -> None:
        words = body[:100].decode("latin-1").split()
        order = words[0] if words else ""
        if order == "die":
            os.abort()
        if order == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "garbage":
            self.data.sendall(b"\xff" * 100)
            time.sleep(60)
        if order == "spin":
            while True:
                time.sleep(1)
        if order == "sleep":
            time.sleep(float(words[1]))
        if order == "error":
            wire = {"kind": "ModelError", "message": "as asked", "facts": {"hook": "score"}}
            write_frame(self.data, ERROR, id, wire)
        elif order == "stream":
            self.stream(id, int(words[1]), int(words[2]))
        else:
            meta = {"status": 200, "type": "text/plain"}
            text = body.upper()
            step = 1 << 20
            for start in range(0, max(len(text), 1), step):
                more = MORE if start + step < len(text) else 0
                write_frame(self.data, REPLY, id, meta, text[start : start + step], more)
                meta = None

    def stream(self, id: int, count: int, size: int) -> None:
        credit = WINDOW
        meta: object = {"status": 200, "type": "text/plain"}
        for number in range(count):
            while credit < size:
                frame = read_frame(self.data)
                if frame[0] == CREDIT and frame[2] == id:
                    credit += struct.unpack("<Q", frame[4])[0]
                elif frame[0] == CANCEL and frame[2] == id:
                    wire = {"kind": "RequestCancelled", "message": "cancelled", "facts": {}}
                    write_frame(self.data, ERROR, id, wire)
                    return
                else:
                    self.waiting.append(frame)
            credit -= size
            print(f"chunk {number}", flush=True)
            write_frame(self.data, REPLY, id, meta, bytes([65 + number % 26]) * size, MORE)
            meta = None
        write_frame(self.data, REPLY, id)


def main() -> None:
    data, control = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:3])
    kind, _, _, meta, _ = read_frame(control)
    init = json.loads(meta)
    assert kind == INIT
    assert init["protocol"] == 1
    threading.Thread(target=control_loop, args=(control,), daemon=True).start()
    target = init["spec"]["target"]
    info = {
        "language": init["spec"]["language"],
        "target": target,
        "hooks": ["score"],
        "guest": {
            "framework": None,
            "labels": [],
            "columns": [],
            "schema_source": "nothing",
            "row_wise": False,
            "matrix": False,
            "predicts": True,
        },
        "batchable": False,
        "threads": 1,
    }
    ready = {"protocol": 1, "pid": os.getpid(), "descriptors": False, "info": info}
    write_frame(control, READY, 0, ready)
    Worker(data).run()


if __name__ == "__main__":
    main()
