"""The main job with the client of openapi-python-client."""

import os
from typing import TypeVar
from uuid import UUID

import main_job
from entra_assets_client_2 import AuthenticatedClient, models
from entra_assets_client_2.api.administration import create_webhook, resend_webhook_delivery, test_webhook
from entra_assets_client_2.api.connections import create_connection
from entra_assets_client_2.api.destinations import create_destination
from entra_assets_client_2.api.filters import create_filter, get_filter, update_filter
from entra_assets_client_2.api.jobs import create_job, explain_object, list_job_changes
from entra_assets_client_2.api.runs import create_run, list_run_events

client = AuthenticatedClient(base_url=os.environ["API_URL"], token=os.environ["API_KEY"])
Answer = TypeVar("Answer")


def answered(kind: type[Answer], answer: object) -> Answer:
    assert isinstance(answer, kind), answer
    return answer


def connect() -> str:
    new = models.CreateConnection(
        name="Contoso",
        tenant_id=os.environ["TENANT_ID"],
        client_id=UUID(os.environ["CLIENT_ID"]),
        credential=models.ClientSecretBody(
            kind=models.ClientSecretBodyKind.CLIENTSECRET, secret=os.environ["CLIENT_SECRET"]
        ),
    )
    return str(answered(models.ConnectionResponse, create_connection.sync(client=client, body=new)).id)


def new_filter(tree: main_job.Tree) -> str:
    users = models.RuleBody.from_dict({"where": tree})
    new = models.CreateFilter(name="Members and guests", users=users, scope=models.Scope(transitive=False))
    return str(answered(models.FilterResponse, create_filter.sync(client=client, body=new)).id)


def rename(id: str) -> str:
    found = answered(models.FilterResponse, get_filter.sync(UUID(id), client=client))
    change = models.UpdateFilter(
        name=f"{found.name}, renamed",
        scope=models.UpdateScope.from_dict(found.scope.to_dict()),
        limits=models.UpdateLimits.from_dict(found.limits.to_dict()),
        outside=found.outside,
    )
    return answered(models.FilterResponse, update_filter.sync(UUID(id), client=client, body=change)).name


def new_job(connection: str, filter: str) -> str:
    source = models.AssetsImport(
        kind=models.AssetsImportKind.ASSETSIMPORT, name="Assets", token=os.environ["IMPORT_TOKEN"]
    )
    destination = answered(models.DestinationResponse, create_destination.sync(client=client, body=source))
    new = models.CreateJob(
        name="Nightly", connection_id=UUID(connection), filter_id=UUID(filter), destination_id=destination.id
    )
    return str(answered(models.JobResponse, create_job.sync(client=client, body=new)).id)


def run(job: str) -> list[str]:
    new = models.CreateRun(mode=models.RunMode.FULL)
    id = answered(models.RunResponse, create_run.sync(UUID(job), client=client, body=new)).id
    states: list[str] = []
    after, done = 0, False
    while not done:
        events = answered(models.RunEventsResponse, list_run_events.sync(id, client=client, after=after, wait=2))
        for event in events.items:
            if isinstance(event, models.RunStateEvent):
                states.append(event.data.state.value)
        after, done = events.next_after, events.done
    return states


def explain(job: str) -> str:
    changes = answered(models.JobChangesResponse, list_job_changes.sync(UUID(job), client=client)).items
    user = next(change for change in changes if change.object_type == models.ObjectType.USERS)
    found = explain_object.sync(UUID(job), client=client, user=str(user.object_id))
    return answered(models.Explanation, found).outcome.value


def resend() -> tuple[str, str]:
    events = [models.WebhookEvent.FAILED, models.WebhookEvent.USER_LEFT]
    new = models.CreateWebhook(name="Chat", url="https://hooks.example.com/", events=events)
    webhook = answered(models.WebhookResponse, create_webhook.sync(client=client, body=new))
    sent = answered(models.WebhookDeliveryResponse, test_webhook.sync(webhook.id, client=client))
    again = resend_webhook_delivery.sync(webhook.id, sent.id, client=client)
    return str(sent.id), str(answered(models.WebhookDeliveryResponse, again).id)


main_job.check(main_job.Client(connect, new_filter, rename, new_job, run, explain, resend))
