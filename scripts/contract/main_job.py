"""The main job by a generated client: from a connection to objects in Assets, a question about one of them, and a delivery of
a webhook that is sent again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tree = dict[str, Any]

COUNTRY: Tree = {"property": "country", "operator": "in", "value": ["Germany", "DE", None]}
WHERE: Tree = {
    "any": [
        {"property": "userType", "operator": "eq", "value": "Guest"},
        {"not": {"not": COUNTRY}},
        {"property": "userType", "operator": "eq", "value": "Member"},
    ]
}


@dataclass
class Client:
    """What the client of a generator does. Ids are texts."""

    connect: Callable[[], str]
    filter: Callable[[Tree], str]
    rename: Callable[[str], str]  # reads the filter, writes what it read with another name, and answers with it
    job: Callable[[str, str], str]  # of a connection and a filter, with a destination of its own
    run: Callable[[str], list[str]]  # follows a run by its events; the states that it came to
    explain: Callable[[str], str]  # what the service says of a user that the job imported
    resend: Callable[[], tuple[str, str]]  # the ids of a delivery and of the same sent again


def expect(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: {found}, not {expected}"
    print(f"{what}: {found}")


def check(client: Client) -> None:
    filter = client.filter(WHERE)
    expect("renamed", client.rename(filter), "Members and guests, renamed")
    job = client.job(client.connect(), filter)
    expect("states", client.run(job), ["queued", "running", "succeeded"])
    expect("explained", client.explain(job), "imported")
    first, again = client.resend()
    expect("resent", again, first)
