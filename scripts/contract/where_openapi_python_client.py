"""The forms of a condition tree with the client of openapi-python-client."""

import os
from uuid import UUID

import where_forms
from entra_assets_client_2 import AuthenticatedClient
from entra_assets_client_2.api.filters import create_filter, get_filter, list_filters, validate_filter
from entra_assets_client_2.models import (
    ConditionOperator,
    CreateFilter,
    FilterResponse,
    PageFilterResponse,
    RuleBody,
    ValidateFilterBody,
    Validation,
    ValidRule,
    WhereAll,
    WhereCondition,
    WhereNot,
)
from where_forms import Tree

client = AuthenticatedClient(base_url=os.environ["API_URL"], token=os.environ["API_KEY"])


def rule(tree: Tree) -> RuleBody:
    return RuleBody.from_dict({"where": tree})


def tree_of(filter: object) -> Tree | None:
    assert isinstance(filter, FilterResponse), filter
    return filter.users.to_dict().get("where") if isinstance(filter.users, RuleBody) else None


def create(name: str, tree: Tree) -> str:
    created = create_filter.sync(client=client, body=CreateFilter(name=name, users=rule(tree)))
    assert isinstance(created, FilterResponse), created
    return str(created.id)


def list_all() -> dict[str, Tree | None]:
    page = list_filters.sync(client=client, limit=200)
    assert isinstance(page, PageFilterResponse), page
    return {str(item.id): tree_of(item) for item in page.items}


def validate(tree: Tree) -> tuple[bool, Tree | None, list[str]]:
    answer = validate_filter.sync(client=client, body=ValidateFilterBody.from_dict({"users": rule(tree).to_dict()}))
    assert isinstance(answer, Validation), answer
    where = answer.users.where.to_dict() if isinstance(answer.users, ValidRule) else None
    return answer.valid, where, [error.pointer for error in answer.errors]


# By hand, as a program writes it.
nested = WhereAll(
    all_=[
        WhereCondition(property_="city", operator=ConditionOperator.EQ, value="Berlin"),
        WhereNot(not_=WhereCondition(property_="userType", operator=ConditionOperator.EQ, value="Guest")),
    ]
)
expected = {"all": [where_forms.CITY, {"not": {"property": "userType", "operator": "eq", "value": "Guest"}}]}
assert nested.to_dict() == expected, nested.to_dict()
where_forms.check(
    where_forms.Client(create, lambda id: tree_of(get_filter.sync(UUID(id), client=client)), list_all, validate)
)
