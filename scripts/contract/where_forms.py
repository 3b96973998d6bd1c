"""Every form of a condition tree, sent and read back by a generated client: nothing of it may be lost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tree = dict[str, Any]

CITY: Tree = {"property": "city", "operator": "eq", "value": "Berlin"}
ENABLED: Tree = {"property": "accountEnabled", "operator": "eq", "value": True}
LICENCE: Tree = {
    "property": "assignedLicenses",
    "any": {"property": "skuId", "operator": "eq", "value": "05e9a617-0261-4cee-bb44-138d3ef5d965"},
}
ADDRESS: Tree = {"property": "proxyAddresses", "any": {"operator": "startsWith", "value": "smtp:"}}
FORMS: dict[str, Tree] = {
    "a condition": CITY,
    "a condition on a boolean": ENABLED,
    "a condition on a number": {"property": "assignedLicenses/$count", "operator": "ne", "value": 0},
    "a condition on null": {"property": "mail", "operator": "ne", "value": None},
    "a list": {"property": "country", "operator": "in", "value": ["DE", None]},
    "all": {"all": [CITY, ENABLED]},
    "any": {"any": [CITY, ENABLED]},
    "not": {"not": CITY},
    "any element, an object": LICENCE,
    "any element, a text": ADDRESS,
    "all forms": {"all": [{"any": [CITY, {"not": {"all": [ENABLED, ADDRESS]}}]}, LICENCE]},
}
# Graph supports this form for no property, so it is never stored.
REFUSED: Tree = {"property": "proxyAddresses", "all": {"operator": "startsWith", "value": "smtp:"}}


@dataclass
class Client:
    """What a generated client does with a tree."""

    create: Callable[[str, Tree], str]  # answers with the id
    get: Callable[[str], Tree | None]
    list: Callable[[], dict[str, Tree | None]]  # by id
    validate: Callable[[Tree], tuple[bool, Tree | None, list[str]]]  # valid, the tree, the places of the errors


def check(client: Client) -> None:
    created = {}
    for name, tree in FORMS.items():
        created[client.create(name, tree)] = tree
        assert client.validate(tree) == (True, tree, []), f"validate: {name}: {client.validate(tree)}"
        print("round trip:", name)
    for id, tree in created.items():
        assert client.get(id) == tree, f"get: {client.get(id)}, not {tree}"
    listed = client.list()
    assert {id: listed[id] for id in created} == created, f"list: {listed}"
    valid, _, errors = client.validate(REFUSED)
    assert not valid and errors == ["/users/where/property"], f"the tree did not arrive as it was sent: {errors}"
