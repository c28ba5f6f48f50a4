"""Clients of other languages with their defaults, as far as they are installed here.

Java is required with CI set, as every language of models; curl, Go and Node are not: they are left
out, with the reason, where they are not on the path.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from support.fake_model import FakeHost, FakeModel
from support.listening import Listening, listening

from polyhost.server.app import build
from polyhost.settings import ServerSettings

SETTINGS = ServerSettings(grace=5.0)
JAVA = """
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

public class Ask {
  public static void main(String[] args) throws Exception {
    HttpClient client = HttpClient.newHttpClient();  // offers h2c with each first request
    String large = "answer\\n" + "1\\n".repeat(200_000);
    for (String body : new String[] {"answer", "answer\\n1", large, "answer"}) {
      HttpRequest request = HttpRequest.newBuilder(URI.create(args[0]))
          .header("Content-Type", "text/csv").POST(BodyPublishers.ofString(body)).build();
      HttpResponse<String> reply = client.send(request, BodyHandlers.ofString());
      System.out.println(reply.statusCode() + " " + reply.body());
    }
  }
}
"""
NODE = """
(async () => {
  for (let i = 0; i < 3; i++) {
    const headers = {"Content-Type": "text/csv"};
    const reply = await fetch(process.argv[2], {method: "POST", headers, body: "answer"});
    console.log(reply.status + " " + await reply.text());
  }
})();
"""
GO = """
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	large := "answer\\n" + strings.Repeat("1\\n", 200000)
	for _, body := range []string{"answer", large, "answer"} {
		reply, err := http.Post(os.Args[1], "text/csv", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		text, _ := io.ReadAll(reply.Body)
		fmt.Printf("%d %s\\n", reply.StatusCode, text)
	}
}
"""
ANSWER = '200 {"predictions":[1.0]}'


class Server:
    """A server over a fake model, in this process."""

    def __init__(self, listening: Listening, model: FakeModel) -> None:
        self.url = f"http://localhost:{listening.port}/predict/"
        self.model = model


@pytest.fixture
def server() -> Iterator[Server]:
    model = FakeModel()
    host = FakeHost(model)
    with listening(lambda: build(cast(Any, host), SETTINGS), SETTINGS) as found:
        yield Server(found, model)


def run(*command: str, timeout: float = 60) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
    return done.stdout.splitlines()


@pytest.mark.runtime("java")
def test_javas_client(server: Server, tmp_path: Path) -> None:
    source = tmp_path / "Ask.java"
    source.write_text(JAVA, encoding="utf-8")
    assert run("java", str(source), server.url) == [ANSWER] * 4
    sizes = [len(body) for _, body in server.model.seen]
    assert sizes == [6, 8, 400_007, 6]


@pytest.mark.parametrize("offer", ["--http1.0", "--http1.1", "--http2"])
@pytest.mark.parametrize("large", [False, True])
def test_curl(server: Server, tmp_path: Path, offer: str, large: bool) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    rows = tmp_path / "rows.csv"
    rows.write_bytes(b"answer\n" + b"1\n" * (200_000 if large else 1))
    options = ["-s", "-S", offer, "-H", "Content-Type: text/csv", "--data-binary", f"@{rows}"]
    out = run("curl", *options, "-w", "%{http_code}\n", server.url, "--next", *options, server.url)
    assert out[0] == '{"predictions":[1.0]}200'
    assert json.loads(out[1]) == {"predictions": [1.0]}
    assert [body for _, body in server.model.seen] == [rows.read_bytes()] * 2


def test_nodes_client(server: Server, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    script = tmp_path / "ask.js"
    script.write_text(NODE, encoding="utf-8")
    assert run("node", str(script), server.url) == [ANSWER] * 3


def test_gos_client(server: Server, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    source, program = tmp_path / "ask.go", tmp_path / "ask"
    source.write_text(GO, encoding="utf-8")
    run("go", "build", "-o", str(program), str(source), timeout=280)  # the first builds net/http
    assert run(str(program), server.url) == [ANSWER] * 3
    assert [len(body) for _, body in server.model.seen] == [6, 400_007, 6]


def test_pythons_own_client(server: Server) -> None:
    import urllib.request

    request = urllib.request.Request(server.url, b"answer", {"Content-Type": "text/csv"})
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert json.load(reply) == {"predictions": [1.0]}
