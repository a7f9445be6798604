"""The OpenAPI document says what the service does: schemathesis asks by it, and nothing fails."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance
from served import Served

Serve = Callable[..., Served]
EXPECTED = {
    "/v1/query", "/v1/identities", "/v1/identities/{identity}", "/v1/identities/{identity}/images",
    "/v1/identities/{identity}/images/{key}", "/v1/history", "/v1/suggestions", "/v1/gallery",
    "/v1/images/{key}", "/v1/images/{key}/thumbnail", "/healthz", "/metrics",
    *(f"/v1/corrections/{action}" for action in ("confirm", "reject", "merge", "split", "rename", "undo")),
}  # fmt: skip


# What is no picture, or no identity of this gallery, has the right form all the same.
NOT_ITS_WORD: Any = [positive_data_acceptance]


def test_the_document_is_whole(serve: Serve) -> None:
    document = serve().client.get("/openapi.json").json()
    assert set(document["paths"]) == EXPECTED
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            refusal = operation["responses"]["422"]["content"]
            assert set(refusal) == {"application/problem+json"}, (method, path)
    schemas = document["components"]["schemas"]
    assert set(schemas["Problem"]["required"]) == {"type", "title", "status", "detail"}
    body = schemas["Answer"]["properties"]
    assert body["identity"]["examples"] == ["pallet-jack-07"]


def test_nothing_that_may_be_asked_makes_it_fail(serve: Serve) -> None:
    served = serve(allow_hosts=("testserver",))
    schema = schemathesis.openapi.from_asgi("/openapi.json", served.client.app)
    found: Any = schema.get_all_operations()
    operations = [operation.ok() for operation in found]
    assert len(operations) >= len(EXPECTED)
    for operation in operations:
        ask_about(operation)
    assert served.client.get("/healthz").status_code == 200


def ask_about(operation: APIOperation[Any, Any, Any, Any]) -> None:

    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case[Any]) -> None:
        response = case.call()
        assert response.status_code < 500, (case, response.text)
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"]
        case.validate_response(response, excluded_checks=NOT_ITS_WORD)

    ask()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_there_is_no_page_with_scripts_from_elsewhere(serve: Serve, path: str) -> None:
    assert serve().client.get(path).status_code == 404
