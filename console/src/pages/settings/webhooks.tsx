import { useState } from "react";
import { all, answer, api, idempotencyKey, type Schema } from "../../api/client";
import { type Query, useAction, useQuery } from "../../api/use";
import { Checkbox, Form, TextField } from "../../ui/form";
import { Button, Card, Confirm, Failure, Loading, Lozenge } from "../../ui/parts";
import { Moment } from "../../ui/time";
import { type Job, loadJobs } from "../import";
import { Deliveries } from "./deliveries";
import { EVENT_TEXTS } from "./events";
import { RotateSecret } from "./rotate";
import { ChangeJobs, type Chosen, JobChoice, ToldOf } from "./webhook-jobs";

type Webhook = Schema<"WebhookResponse">;
type Event = Schema<"WebhookEvent">;

const EVENTS = Object.entries(EVENT_TEXTS) as [Event, string][];

export function Webhooks() {
  const webhooks = useQuery("webhooks", (signal) => all((cursor) => answer(api.GET("/v1/webhooks", { params: { query: { limit: 200, cursor } }, signal }))));
  const jobs = useQuery("jobs", loadJobs);
  return (
    <div className="columns">
      <div className="stack">
        <Failure error={webhooks.error} />
        {webhooks.loading && <Loading />}
        {webhooks.data?.length === 0 && (
          <Card title="Webhooks">
            <p className="subtle">No webhook yet. A webhook tells another program what happened, such as how a run ended.</p>
          </Card>
        )}
        {webhooks.data?.map((webhook) => <WebhookCard key={webhook.id} webhook={webhook} jobs={jobs} onChanged={webhooks.reload} />)}
      </div>
      <Card title="Add a webhook">
        <CreateWebhook jobs={jobs} onCreated={webhooks.reload} />
      </Card>
    </div>
  );
}

function CreateWebhook({ jobs, onCreated }: { jobs: Query<Job[]>; onCreated: () => void }) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [secret, setSecret] = useState("");
  const [events, setEvents] = useState<Event[]>(["degraded", "failed", "awaitingApproval"]);
  const [jobIds, setJobIds] = useState<Chosen>(null);
  const create = useAction(async () => {
    const params = { header: { "Idempotency-Key": idempotencyKey() } };
    await answer(api.POST("/v1/webhooks", { params, body: { name: name.trim(), url: url.trim(), secret: secret || null, events, jobIds } }));
    setName("");
    setUrl("");
    setSecret("");
    setJobIds(null);
    onCreated();
  });
  return (
    <Form label="Add a webhook" onSubmit={() => void create.run()} error={create.error}>
      <TextField label="Name" pointer="/name" value={name} onChange={setName} />
      <TextField label="Address" type="url" pointer="/url" value={url} onChange={setUrl} placeholder="https://example.com/hooks/imports" />
      <TextField label="Secret (optional)" type="password" pointer="/secret" value={secret} onChange={setSecret} help="Deliveries are signed with it. It is never shown again." />
      <fieldset>
        <legend>Tell it when</legend>
        {EVENTS.map(([event, text]) => (
          <Checkbox key={event} label={text} checked={events.includes(event)} onChange={(on) => setEvents(on ? [...events, event] : events.filter((one) => one !== event))} />
        ))}
      </fieldset>
      <JobChoice value={jobIds} onChange={setJobIds} jobs={jobs} />
      <div>
        <Button type="submit" kind="primary" pending={create.pending}>
          Add webhook
        </Button>
      </div>
    </Form>
  );
}

function WebhookCard({ webhook, jobs, onChanged }: { webhook: Webhook; jobs: Query<Job[]>; onChanged: () => void }) {
  const params = { path: { id: webhook.id } };
  const [turn, setTurn] = useState(0);
  const test = useAction(async () => {
    await answer(api.POST("/v1/webhooks/{id}/test", { params }));
    setTurn(turn + 1);
  });
  const toggle = useAction(async () => {
    await answer(api.PATCH("/v1/webhooks/{id}", { params, body: { enabled: !webhook.enabled } }));
    onChanged();
  });
  const remove = useAction(async () => {
    await answer(api.DELETE("/v1/webhooks/{id}", { params }));
    onChanged();
  });
  return (
    <Card title={webhook.name} aside={<Lozenge tone={webhook.enabled ? "success" : "neutral"}>{webhook.enabled ? "On" : "Off"}</Lozenge>}>
      <div className="stack">
        <p className="break">
          <code>{webhook.url}</code>
          {webhook.signed ? " · signed" : " · not signed"}
          {webhook.previousSecretUntil && (
            <>
              {" "}
              · with the secret before too, until <Moment at={webhook.previousSecretUntil} />
            </>
          )}
        </p>
        <div className="row">
          {webhook.events.map((event) => (
            <Lozenge key={event}>{EVENT_TEXTS[event] ?? event}</Lozenge>
          ))}
        </div>
        <ToldOf webhook={webhook} jobs={jobs} />
        <div className="row">
          <Button pending={test.pending} onClick={() => void test.run()}>
            Send a test
          </Button>
          <Button pending={toggle.pending} onClick={() => void toggle.run()}>
            {webhook.enabled ? "Switch off" : "Switch on"}
          </Button>
          <ChangeJobs webhook={webhook} jobs={jobs} onChanged={onChanged} />
          <RotateSecret webhook={webhook} onRotated={onChanged} />
          <Confirm kind="danger" button="Delete" title={`Delete «${webhook.name}»?`} confirm="Delete" onConfirm={remove.run} pending={remove.pending} error={remove.error}>
            <p>Deliveries that are still to be sent are dropped.</p>
          </Confirm>
        </div>
        <Failure error={test.error ?? toggle.error} />
        <Deliveries webhook={webhook} turn={turn} />
      </div>
    </Card>
  );
}
