"""An additional check for schemathesis, and ids of resources that exist."""

import os

import schemathesis

# The codes of faults that the service finds with the document alone (src/api/contract/schema.rs).
FORM = {
    "wrong_type", "unknown_field", "unknown_parameter", "not_one_of", "too_short", "too_long", "too_small",
    "too_large", "too_few", "too_many", "invalid_format", "invalid_pattern", "invalid",
}  # fmt: skip


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Most requests that name a tenant or a connection name one that exists, so that they reach the handlers."""
    if not is_positive(case):
        return
    if case.operation.label.endswith("/v1/jobs/{id}/schema"):
        case.path_parameters["id"] = os.environ["JOB_ID"]
    if "wait" in (case.query or {}):
        case.query["wait"] = 1  # to end in time
    if not isinstance(case.body, dict) or len(repr(case.body)) % 4 == 0:
        return
    if case.operation.label in ("POST /v1/connections", "POST /v1/connection-checks"):
        case.body["tenantId"], case.body["clientId"] = os.environ["TENANT_ID"], os.environ["CLIENT_ID"]
        case.body["credential"] = {"kind": "clientSecret", "secret": os.environ["CLIENT_SECRET"]}
    if case.operation.label == "POST /v1/jobs":
        case.body["connectionId"], case.body["filterId"] = os.environ["CONNECTION_ID"], None
        case.body["destinationId"] = None
    if case.operation.label.endswith("/preview") and "connectionId" in case.body:
        case.body["connectionId"] = os.environ["CONNECTION_ID"]


@schemathesis.check
def form_is_described(ctx, response, case):
    """A request that fits the document is never refused for its form."""
    if not is_positive(case) or response.status_code not in (400, 415, 422):
        return
    problem = response.json()
    if problem["code"] in ("malformed_json", "unsupported_media_type"):
        raise AssertionError(f"a body that the document allows is refused: {problem['detail']}")
    # Which fields a patch may have depends on the kind of the stored resource.
    allowed = {"unknown_field"} if case.method == "PATCH" else set()
    faults = [fault for fault in problem.get("errors", []) if fault["code"] in FORM - allowed]
    assert not faults, f"the document allows what the service refuses: {faults}"
