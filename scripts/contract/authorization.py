"""Every operation of the document with every kind of caller: who gets in is what the document says, no more, no less.

Needs API_URL and API_KEY, the operator's admin key, of a service that has a run.
"""

import base64
import datetime
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

API, OPERATOR = os.environ["API_URL"], os.environ["API_KEY"]
METHODS = ["get", "post", "put", "patch", "delete"]
SCOPES = ["read", "write", "run", "admin"]
# Only the operator's admin key may call these; an admin of another organization may not. A new organization is tried with
# a body of its own, because what is wrong with a body is told first.
OPERATORS = ("delete", "/v1/organizations/{id}"), ("get", "/v1/workers")
# Only a Forge app may call these, with an invocation token.
FORGES = ("post", "/v1/forge/refresh"), ("post", "/v1/forge/uninstall")
# The scope of the link of a handover. No key has it, not even an admin key.
LINK = "handover"


def send(method, path, key=None, body=None, scheme="Bearer"):
    """The status, and the answer if it is JSON."""
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"{scheme} {key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, headers, method=method.upper())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


def create(path, body, key=OPERATOR):
    status, answer = send("post", path, key, body)
    assert status == 201, (path, status, answer)
    return answer


def attempt(operation, key, scheme="Bearer", path=None, query=""):
    """The status of a call that changes nothing: its ids are unknown, and its body is not valid."""
    path = (path or operation["path"]).replace("{id}", str(uuid.uuid4()))
    body = {"\u0000": None} if operation["method"] in ("post", "put", "patch") else None
    return send(operation["method"], path + query, key, body, scheme)[0]


def unsigned_jwt():
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return f"{part({'alg': 'none'})}.{part({'iss': 'x', 'aud': 'entra-assets', 'exp': 4102444800, 'scope': 'admin'})}."


def main():
    _, document = send("get", "/openapi.json")
    operations = [
        {"method": method, "path": path, "security": operation["security"]}
        for path, item in document["paths"].items() for method, operation in item.items() if method in METHODS
    ]
    key = lambda name, scopes, **more: create("/v1/api-keys", {"name": name, "scopes": scopes, **more})
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    expired = key("expired", ["admin"], expiresAt=soon.isoformat())["key"]
    revoked = key("revoked", ["admin"])
    assert send("delete", f"/v1/api-keys/{revoked['id']}", OPERATOR)[0] == 204
    scoped = {scope: key(scope, [scope])["key"] for scope in SCOPES}
    organization = create("/v1/organizations", {"name": "Other", "externalId": f"other-{uuid.uuid4()}"})
    # The answer has the first admin key of the organization, somewhere in it.
    other = next(text for text in strings(organization) if text.startswith("eak_"))
    run = send("get", "/v1/runs?limit=1", OPERATOR)[1]["items"][0]["id"]
    ticket = create("/v1/tickets", {"path": f"/v1/runs/{run}/events"})["url"].split("ticket=")[1]
    connection = send("get", "/v1/connections?limit=1", OPERATOR)[1]["items"][0]["id"]
    link = create(f"/v1/connections/{connection}/handovers", None)["url"].rsplit("/", 1)[1]
    time.sleep(2.5)
    assert send("get", "/v1/jobs", scoped["read"])[0] == 200

    outsiders = {"nothing": (None, "Bearer"), "a wrong key": (revoked["key"][:-4] + "AAAA", "Bearer"), "another text": ("x", "Bearer"),
                 "an expired key": (expired, "Bearer"), "a revoked key": (revoked["key"], "Bearer"),
                 "a JWT without a signature": (unsigned_jwt(), "Bearer"), "a key as a password": (scoped["admin"], "Basic")}
    faults, tried = [], 0

    def expect(operation, caller, status, good):
        nonlocal tried
        tried += 1
        if not good:
            faults.append(f"{operation['method']} {operation['path']} with {caller}: {status}")

    for operation in operations:
        scopes = [scope for one in operation["security"] for scope in one.get("bearer", [])]
        call = operation["method"], operation["path"]
        takes_tickets = any("ticket" in one for one in operation["security"])
        if not scopes:
            status = attempt(operation, None)
            expect(operation, "nothing", status, status not in (401, 403))
            continue
        for caller, (outsider, scheme) in outsiders.items():
            status = attempt(operation, outsider, scheme)
            expect(operation, caller, status, status == 401)
        for scope, scope_key in scoped.items():
            status = attempt(operation, scope_key)
            allowed = (scope in scopes or scope == "admin") and call not in FORGES and LINK not in scopes
            expect(operation, f"the scope {scope}", status, (status not in (401, 403)) if allowed else status == 403)
        # A ticket is for another path, or the operation takes none.
        status = attempt(operation, None, query=f"?ticket={ticket}")
        expect(operation, "a ticket", status, status == 401)
        # The link's own operations change nothing either: a body that is not valid is refused, and a check is only read.
        status = attempt(operation, link)
        expect(operation, "the link of a handover", status, (status not in (401, 403)) if LINK in scopes else status == 403)
        refused = call in (*OPERATORS, *FORGES) or LINK in scopes
        status = attempt(operation, other)
        expect(operation, "an admin of another organization", status, status == 403 if refused else status not in (401, 403))
        if takes_tickets and "/runs/" in operation["path"]:
            path = operation["path"].replace("{id}", run)
            status = attempt(operation, other, path=path)
            expect(operation, "another organization's run", status, status == 404)

    # What an admin of another organization sees of organizations is its own.
    new = {"method": "post", "path": "/v1/organizations"}
    status, _ = send("post", new["path"], other, {"name": "Third"})
    expect(new, "an admin of another organization", status, status == 403)
    status, seen = send("get", new["path"], other)
    expect(new, "another admin's list", seen, [one["name"] for one in seen["items"]] == ["Other"])
    default = next(one["id"] for one in send("get", new["path"], OPERATOR)[1]["items"] if one["name"] != "Other")
    for method, body in [("get", None), ("patch", {"name": "Mine"}), ("delete", None)]:
        status, _ = send(method, f"{new['path']}/{default}", other, body)
        expect({"method": method, "path": new["path"]}, "another admin's reach for the operator's", status, status in (403, 404))

    print(f"{len(operations)} operations, {tried} attempts, {len(faults)} surprises")
    print("\n".join(faults))
    sys.exit(bool(faults) or tried < 500)


def strings(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


main()
