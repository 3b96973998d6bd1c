/** Who changed what, in words. */
import { useState } from "react";
import { all, answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { Select } from "../../ui/form";
import { usePages } from "../../ui/pages";
import { Button, Card, Failure, Loading, Table } from "../../ui/parts";
import { Moment } from "../../ui/time";
import { attributeText, valueText, wordsOf } from "../../ui/words";

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
const ACTIONS: Record<string, string> = { create: "Created", update: "Changed", delete: "Deleted", check: "Checked", approve: "Approved", cancel: "Cancelled", revoke: "Revoked", pause: "Paused", resume: "Resumed", resend: "Sent again" };

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
                <td className="break">{actorText(event.actor, names)}</td>
                <td>
                  {KINDS[event.resourceKind] ?? wordsOf(event.resourceKind)}: {(ACTIONS[event.action] ?? wordsOf(event.action)).toLowerCase()}
                </td>
                <td className="small break">
                  <Details event={event} />
                </td>
              </tr>
            ))}
          </Table>
        )}
        {events.items && <Failure error={events.error} />}
        {events.hasMore && (
          <div>
            <Button pending={events.pending} onClick={events.more}>
              Show earlier events
            </Button>
          </div>
        )}
      </div>
    </Card>
  );
}

function actorText(actor: string, names: Map<string, string>): string {
  const [kind = "", ...rest] = actor.split(":");
  if (kind === "adminKey") return "The key of the operator";
  if (kind === "apiKey") return `The key «${names.get(rest.join(":")) ?? rest.join(":")}»`;
  if (kind === "jwt") return rest.at(-1) ?? actor;
  if (kind === "handover") return "An administrator of Entra, by a link";
  return wordsOf(actor);
}

type Changed = { field: string; before: unknown; after: unknown };

function Details({ event: { detail } }: { event: Event }) {
  const { changes, secrets, ...others } = detail as { changes?: Changed[]; secrets?: string[] } & Record<string, unknown>;
  return (
    <ul className="stack tight">
      {changes?.map((one) => (
        <li key={one.field}>
          {one.field}: {valueText(one.before) || "empty"} → {valueText(one.after) || "empty"}
        </li>
      ))}
      {secrets && secrets.length > 0 && <li>Replaced: {secrets.join(", ")}</li>}
      {Object.entries(others).map(([key, value]) => (
        <li key={key}>
          {attributeText(key)}: {valueText(value) || "empty"}
        </li>
      ))}
    </ul>
  );
}
