/** Who changed what, in words. */
import { useState } from "react";
import { all, answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { actorOf } from "../../ui/actor";
import { type Difference, difference } from "../../ui/difference";
import { Select } from "../../ui/form";
import { usePages } from "../../ui/pages";
import { Card, Failure, Loading, More, Table } from "../../ui/parts";
import { Moment, plural } from "../../ui/time";
import { attributeText, excerpt, sentence, valueText, wordsOf } from "../../ui/words";

type Event = Schema<"AuditEventResponse">;

const KINDS: Record<string, string> = {
  connections: "Source",
  handovers: "Link for Entra",
  filters: "Filter",
  destinations: "Destination",
  jobs: "Import",
  runs: "Run",
  webhooks: "Webhook",
  "api-keys": "API key",
  organizations: "Organization",
  tickets: "Download link",
};
/** Every action has a text: the compiler finds one that is missing. */
const ACTIONS: Record<Schema<"AuditAction">, string> = {
  create: "created",
  update: "changed",
  delete: "deleted",
  check: "checked",
  build: "object types built",
  cancel: "cancelled",
  approve: "approved",
  expire: "not approved in time",
  pause: "paused",
  resume: "resumed",
  observe: "treats missing objects in another way than expected",
  test: "tested",
  resend: "sent again",
  rotateSecret: "got a new secret",
  use: "used",
  refuse: "refused",
  revoke: "revoked",
  uninstall: "Forge app uninstalled",
};

export function AuditLog() {
  const [kind, setKind] = useState("");
  const keys = useQuery("keys", (signal) => all((cursor) => answer(api.GET("/v1/api-keys", { params: { query: { limit: 200, cursor } }, signal }))));
  const events = usePages(`audit ${kind}`, (cursor, signal) => answer(api.GET("/v1/audit-events", { params: { query: { resourceKind: kind || undefined, limit: 100, cursor } }, signal })));
  const names = new Map((keys.data ?? []).map((one) => [one.id as string, one.name]));
  return (
    <Card title="Who changed what">
      <div className="stack">
        <div className="grid2">
          <Select label="What" value={kind} onChange={setKind} options={[["", "Everything"], ...Object.entries(KINDS)]} />
        </div>
        {!events.items && (events.error ? <Failure error={events.error} /> : <Loading />)}
        {events.items && (
          <Table label="Audit log" head={["When", "Who", "What", "Details"]}>
            {events.items.map((event) => (
              <tr key={event.id}>
                <td>
                  <Moment at={event.at} />
                </td>
                <td className="break">
                  {sentence(actorOf(event.actor, names))}
                  {event.address && <div className="small">{event.address}</div>}
                </td>
                <td>
                  {KINDS[event.resourceKind] ?? wordsOf(event.resourceKind)}: {ACTIONS[event.action] ?? wordsOf(event.action).toLowerCase()}
                </td>
                <td className="small break">
                  <Details event={event} />
                </td>
              </tr>
            ))}
          </Table>
        )}
        {events.items && <Failure error={events.error} />}
        <More pages={events}>Show earlier events</More>
      </div>
    </Card>
  );
}

type Changed = { field: string; before: unknown; after: unknown };

function Details({ event: { detail } }: { event: Event }) {
  const { changes, secrets, ...others } = detail as { changes?: Changed[]; secrets?: string[] } & Record<string, unknown>;
  return (
    <ul className="stack tight">
      {changes?.map((one) => (
        <ChangedField key={one.field} field={one.field} {...difference(one.before, one.after)} />
      ))}
      {secrets && secrets.length > 0 && <li>Replaced: {secrets.join(", ")}</li>}
      {Object.entries(others).map(([key, value]) => (
        <li key={key}>
          {attributeText(key)}: {excerpt(valueText(value)) || "empty"}
        </li>
      ))}
    </ul>
  );
}

function ChangedField({ field, gone, come, kept }: Difference & { field: string }) {
  const nothing = kept > 0 ? "–" : "empty";
  return (
    <li>
      {field}: {gone || nothing} → {come || nothing}
      {kept > 0 && ` (${plural(kept, "value stays", "values stay")})`}
    </li>
  );
}
