"""Who is let in: tokens, names, pages of other sites, and what goes out with every answer."""

from collections.abc import Callable
from pathlib import Path

import pytest
from served import Served

from nearid_search.errors import ConfigError
from nearid_search.server.tokens import Token, find_token, is_loopback, read_tokens, require_token

Serve = Callable[..., Served]
SECRET = "a-secret-of-some-length"
RENAME = {"identity": "cup", "to": "mug"}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_with_a_token_every_path_asks_for_it_but_one(serve: Serve) -> None:
    served = serve(tokens=(Token(SECRET.encode()),))
    document = served.client.get("/openapi.json", headers=bearer(SECRET)).json()
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    paths = set(document["paths"])
    for path in {*paths, "/openapi.json", "/nothing", "/"} - {"/healthz"}:
        for headers in ({}, bearer(SECRET[:-1]), bearer(""), {"Authorization": f"Basic {SECRET}"}):
            for method in ("GET", "POST", "DELETE"):
                refused = served.client.request(method, path, headers=headers)
                assert refused.status_code == 401, (method, path)
                assert refused.headers["www-authenticate"].startswith("Bearer")
                assert SECRET not in refused.text
    assert served.client.get("/healthz").json() == {"status": "ok"}
    assert served.client.get("/v1/identities", headers=bearer(SECRET)).status_code == 200
    assert served.client.get("/v1/identities", headers={"Authorization": f"bearer  {SECRET}"}).status_code == 200


def test_a_token_is_found_by_its_bytes() -> None:
    tokens = (Token(b"first-0123456789"), Token("zweites-öäü-0123".encode(), "Ada"))
    assert find_token(tokens, "Bearer zweites-öäü-0123".encode()) is tokens[1]
    assert find_token(tokens, b"Bearer first-0123456789") is tokens[0]
    assert find_token(tokens, b"first-0123456789") is None
    assert find_token(tokens, None) is None


def test_tokens_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEARID_TOKEN", raising=False)
    assert read_tokens(None) == ()
    monkeypatch.setenv("NEARID_TOKEN", SECRET)
    assert read_tokens(None) == (Token(SECRET.encode()),)
    file = tmp_path / "tokens"
    file.write_text(f"# of the warehouse\n\n{SECRET}\nscanner 0123456789abcdef # at the gate\n")
    assert read_tokens(file) == (Token(SECRET.encode()), Token(b"0123456789abcdef", "scanner"))
    for content, words in (("", "holds no token"), ("short", "5 characters can be guessed"), ("a b c", "3 words")):
        file.write_text(content)
        with pytest.raises(ConfigError, match=words):
            read_tokens(file)
    with pytest.raises(ConfigError, match="cannot read the tokens"):
        read_tokens(tmp_path)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),  # noqa: S104
     ("::", False), ("192.168.1.5", False), ("warehouse.example", False), ("", False), ("::ffff:10.0.0.1", False)],
)  # fmt: skip
def test_only_loopback_does_without_a_token(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    require_token(host, (Token(b"x"),), insecure=False)
    require_token(host, (), insecure=True)
    if loopback:
        require_token(host, (), insecure=False)
    else:
        with pytest.raises(ConfigError, match="--insecure"):
            require_token(host, (), insecure=False)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1:80", "[::1]:8000", "LOCALHOST:1"])
def test_loopback_answers_to_its_names(serve: Serve, name: str) -> None:
    assert serve().client.get("/v1/identities", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize("name", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.", ""])
def test_a_name_that_leads_here_from_elsewhere_is_refused(serve: Serve, name: str) -> None:
    refused = serve().client.get("/v1/identities", headers={"Host": name})
    assert (refused.status_code, refused.headers["content-type"]) == (421, "application/problem+json")


def test_other_names_can_be_allowed(serve: Serve) -> None:
    client = serve(allow_hosts=("shop.example",)).client
    assert client.get("/healthz", headers={"Host": "Shop.example:443"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_sites_write_nothing(serve: Serve, headers: dict[str, str], status: int) -> None:
    client = serve().client
    assert client.post("/v1/corrections/rename", json=RENAME, headers=headers).status_code == status
    assert client.get("/v1/identities", headers=headers).status_code == 200


def test_a_form_of_another_site_cannot_pass_for_json(serve: Serve) -> None:
    body = '{"identity": "cup", "to": "mug"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        refused = serve().client.post("/v1/corrections/rename", content=body, headers={"Content-Type": kind})
        assert refused.status_code == 415


@pytest.mark.parametrize("path", ["/v1/identities", "/nothing", "/healthz", "/metrics", "/openapi.json"])
def test_every_answer_says_what_a_browser_may_do_with_it(serve: Serve, path: str) -> None:
    headers = serve().client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; frame-ancestors 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_paths_do_not_lead_out(serve: Serve) -> None:
    client = serve().client
    for path in (
        "/../manifest.json",
        "/v1/images/..%2F..%2Fmanifest.json",
        "/v1/images/%00/thumbnail",
        "/uploads/x.png",
    ):
        assert client.get(path).status_code in (404, 422)
    assert client.get("/v1/identities/..%2F..%2Fetc%2Fpasswd").status_code == 404
