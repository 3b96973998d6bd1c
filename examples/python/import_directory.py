"""From a connection to a result, with a client that openapi-generator makes from the API's document:

    openapi-generator-cli generate -g python -i openapi/openapi.json -o client --package-name entra_assets_client

Needs API_KEY, and in TENANT_ID, CLIENT_ID, CLIENT_SECRET and IMPORT_TOKEN what the app registration and the import
source in Assets show. API_URL: the address of the service.
"""

import json
import os
import sys
from uuid import UUID

import entra_assets_client as api


def create_job(client: api.ApiClient) -> UUID:
    """A connection that works, a filter, a destination, and the job that connects them."""
    secret = api.ClientSecretBody(kind="clientSecret", secret=os.environ["CLIENT_SECRET"])
    connection = api.ConnectionsApi(client).create_connection(
        api.CreateConnection(
            name="Contoso",
            tenant_id=os.environ["TENANT_ID"],
            client_id=UUID(os.environ["CLIENT_ID"]),
            credential=api.CredentialBody(secret),
        ),
        check=True,
    )
    assert connection.last_check is not None
    if connection.last_check.overall == api.Overall.FAILED:
        sys.exit("\n".join(finding.message for finding in connection.last_check.findings))
    print("connection:", connection.last_check.overall.value)

    filter = api.FiltersApi(client).create_filter(
        api.CreateFilter(name="Members and guests", users=api.RuleBody(odata="userType in ('Member','Guest')"))
    )
    destination = api.DestinationsApi(client).create_destination(
        api.CreateDestination(
            api.AssetsImport(
                kind="assetsImport",
                name="Assets",
                token=os.environ["IMPORT_TOKEN"],
                missing_objects=api.MissingObjects.IGNORE,
            )
        )
    )
    job = api.JobsApi(client).create_job(
        api.CreateJob(
            name="Nightly",
            connection_id=connection.id,
            filter_id=filter.id,
            destination_id=destination.id,
            schedule=api.JobSchedule(cron="0 5 * * *", timezone="Europe/Berlin", enabled=False),
        )
    )
    return job.id


def waits(state: api.RunState) -> bool:
    """Whether the run waits for approval: it goes on when somebody approves it."""
    return state.value == "awaitingApproval"


def follow(runs: api.RunsApi, run: UUID) -> None:
    """Prints the run's events until it has ended, or waits for an approval."""
    after, done = 0, False
    while not done:
        events = runs.list_run_events(run, after=after, wait=20)
        for item in events.items:
            event = item.actual_instance
            if isinstance(event, api.RunStateEvent):
                print(event.id, event.event, event.data.state.value)
            elif isinstance(event, api.RunLogEvent):
                print(event.id, event.event, event.data.message)
        after, done = events.next_after, events.done or waits(events.state)


def main() -> None:
    host = os.environ.get("API_URL", "http://127.0.0.1:8080")
    with api.ApiClient(api.Configuration(host=host, access_token=os.environ["API_KEY"])) as client:
        runs = api.RunsApi(client)
        run = runs.create_run(create_job(client), api.CreateRun(mode=api.RunMode.FULL))
        follow(runs, run.id)
        run = runs.get_run(run.id)
    if waits(run.state):
        brake = next(warning for warning in run.warnings if warning.code == "removal_brake")
        sys.exit(f"{brake.detail}\n{brake.advice}\nPOST /v1/runs/{run.id}/approve or /cancel")
    print(json.dumps({"state": run.state.value, "counts": {name: of.to_dict() for name, of in run.counts.items()}}))
    if run.state != api.RunState.SUCCEEDED:
        sys.exit(run.error.detail if run.error else "; ".join(warning.detail for warning in run.warnings))


if __name__ == "__main__":
    main()
