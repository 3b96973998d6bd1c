import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Button, Card, Failure, Loading, Table } from "../../ui/parts";
import { Moment } from "../../ui/time";

type Event = Schema<"AuditEventResponse">;

const load = (cursor: string | undefined, signal?: AbortSignal) => answer(api.GET("/v1/audit-events", { params: { query: { limit: 100, cursor } }, signal }));

export function AuditLog() {
  const first = useQuery("audit", (signal) => load(undefined, signal));
  const [older, setOlder] = useState<{ items: Event[]; next: string | null }>();
  const next = older ? older.next : first.data?.nextCursor;
  const more = useAction(async () => {
    const page = await load(next ?? undefined);
    setOlder({ items: [...(older?.items ?? []), ...page.items], next: page.nextCursor });
  });
  if (!first.data) return first.error ? <Failure error={first.error} /> : <Loading />;
  return (
    <Card title="Who changed what">
      <div className="stack">
        <Table label="Audit log" head={["When", "Who", "Action", "What", "Details"]}>
          {[...first.data.items, ...(older?.items ?? [])].map((event) => (
            <tr key={event.id}>
              <td>
                <Moment at={event.at} />
              </td>
              <td className="break">{event.actor}</td>
              <td>{event.action}</td>
              <td>{event.resourceKind}</td>
              <td className="small break">
                <code>{JSON.stringify(event.detail)}</code>
              </td>
            </tr>
          ))}
        </Table>
        <Failure error={more.error} />
        {next && (
          <div>
            <Button pending={more.pending} onClick={() => void more.run()}>
              Show earlier events
            </Button>
          </div>
        )}
      </div>
    </Card>
  );
}
