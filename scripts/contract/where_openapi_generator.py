"""The forms of a condition tree with the client of openapi-generator."""

import json
import os

import entra_assets_client as api
import where_forms
from where_forms import Tree

client = api.ApiClient(api.Configuration(host=os.environ["API_URL"], access_token=os.environ["API_KEY"]))
filters = api.FiltersApi(client)


def rule(tree: Tree) -> api.RuleBody:
    rule = api.RuleBody.from_dict({"where": tree})
    assert rule is not None
    return rule


def tree_of(rule: api.RuleBody | None) -> Tree | None:
    return rule.to_dict().get("where") if rule else None


def create(name: str, tree: Tree) -> str:
    return str(filters.create_filter(api.CreateFilter(name=name, users=rule(tree))).id)


def list_all() -> dict[str, Tree | None]:
    return {str(item.id): tree_of(item.users) for item in filters.list_filters(limit=200).items}


def validate(tree: Tree) -> tuple[bool, Tree | None, list[str]]:
    answer = filters.validate_filter({"users": json.loads(rule(tree).to_json())})
    where = answer.users.where.to_dict() if answer.users else None
    return answer.valid, where, [error.pointer for error in answer.errors]


# By hand, as a program writes it.
nested = api.Where(
    api.WhereAll(
        all=[
            api.Where(api.WhereCondition(property="city", operator=api.ConditionOperator.EQ, value="Berlin")),
            api.Where(
                api.WhereNot(
                    var_not=api.Where(
                        api.WhereCondition(property="userType", operator=api.ConditionOperator.EQ, value="Guest")
                    )
                )
            ),
        ]
    )
)
expected = {"all": [where_forms.CITY, {"not": {"property": "userType", "operator": "eq", "value": "Guest"}}]}
assert nested.to_dict() == expected, nested.to_dict()
where_forms.check(
    where_forms.Client(create, lambda id: tree_of(filters.get_filter(id).users), list_all, validate)
)
