"""The main job with the client of openapi-generator."""

import os
from uuid import UUID

import entra_assets_client as api
import main_job

client = api.ApiClient(api.Configuration(host=os.environ["API_URL"], access_token=os.environ["API_KEY"]))
administration, filters = api.AdministrationApi(client), api.FiltersApi(client)
jobs, runs = api.JobsApi(client), api.RunsApi(client)


def connect() -> str:
    secret = api.ClientSecretBody(kind="clientSecret", secret=os.environ["CLIENT_SECRET"])
    new = api.CreateConnection(
        name="Contoso",
        tenant_id=os.environ["TENANT_ID"],
        client_id=UUID(os.environ["CLIENT_ID"]),
        credential=api.CredentialBody(secret),
    )
    return str(api.ConnectionsApi(client).create_connection(new).id)


def create_filter(tree: main_job.Tree) -> str:
    where = api.Where.from_dict(tree)
    new = api.CreateFilter(name="Members and guests", users=api.RuleBody(where=where), scope=api.Scope(transitive=False))
    return str(filters.create_filter(new).id)


def rename(id: str) -> str:
    found = filters.get_filter(UUID(id))
    change = api.UpdateFilter(
        name=f"{found.name}, renamed",
        scope=api.UpdateScope.from_dict(found.scope.to_dict()),
        limits=api.UpdateLimits.from_dict(found.limits.to_dict()),
        outside=found.outside,
    )
    return str(filters.update_filter(UUID(id), change).name)


def create_job(connection: str, filter: str) -> str:
    source = api.AssetsImport(kind="assetsImport", name="Assets", token=os.environ["IMPORT_TOKEN"])
    destination = api.DestinationsApi(client).create_destination(api.CreateDestination(source))
    new = api.CreateJob(
        name="Nightly", connection_id=UUID(connection), filter_id=UUID(filter), destination_id=destination.id
    )
    return str(jobs.create_job(new).id)


def run(job: str) -> list[str]:
    id = runs.create_run(UUID(job), api.CreateRun(mode=api.RunMode.FULL)).id
    states, after, done = [], 0, False
    while not done:
        events = runs.list_run_events(id, after=after, wait=20)
        for item in events.items:
            if isinstance(item.actual_instance, api.RunStateEvent):
                states.append(item.actual_instance.data.state.value)
        after, done = events.next_after, events.done
    return states


def explain(job: str) -> str:
    changes = jobs.list_job_changes(UUID(job)).items
    user = next(change for change in changes if change.object_type == api.ObjectType.USERS)
    return str(jobs.explain_object(UUID(job), user=str(user.object_id)).outcome.value)


def resend() -> tuple[str, str]:
    events = [api.WebhookEvent.FAILED, api.WebhookEvent.USER_DOT_LEFT]
    webhook = administration.create_webhook(
        api.CreateWebhook(name="Chat", url="https://hooks.example.com/", events=events)
    )
    sent = administration.test_webhook(webhook.id)
    return str(sent.id), str(administration.resend_webhook_delivery(webhook.id, sent.id).id)


main_job.check(main_job.Client(connect, create_filter, rename, create_job, run, explain, resend))
