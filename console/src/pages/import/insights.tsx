/** What the last complete read says about the directory: numbers, each with its rule and the objects behind it. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { href } from "../../route";
import { Downloads } from "../../ui/download";
import { usePages } from "../../ui/pages";
import { Prose } from "../../ui/prose";
import { Button, Card, Failure, Loading, Message, More, Table } from "../../ui/parts";
import { Moment, number } from "../../ui/time";
import { objectPath } from "../objects/path";

type Insight = Schema<"InsightResponse">;

export function Insights({ jobId }: { jobId: string }) {
  const insights = useQuery(`insights ${jobId}`, (signal) => answer(api.GET("/v1/jobs/{id}/insights", { params: { path: { id: jobId } }, signal })));
  if (!insights.data) return insights.error ? <Failure error={insights.error} /> : <Loading />;
  const { items, readAt } = insights.data;
  return (
    <div className="stack">
      {readAt === null ? (
        <Message tone="information" title="Nothing was read yet">
          <p>The numbers come with the first complete import.</p>
        </Message>
      ) : (
        <p className="subtle">
          As the import read the directory last, <Moment at={readAt} />, in the scope of its filter.
        </p>
      )}
      <ul className="stack" aria-label="Insights">
        {items.map((one) => (
          <li key={one.insight}>
            <InsightCard jobId={jobId} insight={one} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function InsightCard({ jobId, insight }: { jobId: string; insight: Insight }) {
  const [open, setOpen] = useState(false);
  const { title, rule, count, unknownBecause } = insight;
  const path = `/v1/jobs/${jobId}/insights/objects?insight=${insight.insight}`;
  return (
    <Card title={title} aside={<span className="metric">{number(count)}</span>}>
      <div className="stack tight">
        <p className="subtle">{rule}</p>
        {unknownBecause && <p className="small">Not known: <Prose text={unknownBecause} /></p>}
        {count !== null && count > 0 && (
          <div className="row">
            <Button onClick={() => setOpen(!open)} label={`${open ? "Hide" : "Show"} the list: ${title}`}>
              {open ? "Hide the list" : "Show the list"}
            </Button>
            <Downloads what={title} formats={["xlsx", "csv"]} path={(format) => `${path}&format=${format}`} />
          </div>
        )}
        {open && <InsightObjects jobId={jobId} insight={insight} />}
      </div>
    </Card>
  );
}

function InsightObjects({ jobId, insight: { insight, title, objectType } }: { jobId: string; insight: Insight }) {
  const objects = usePages(`insight ${jobId} ${insight}`, (cursor, signal) => answer(api.GET("/v1/jobs/{id}/insights/objects", { params: { path: { id: jobId }, query: { insight, limit: 50, cursor } }, signal })));
  const pathOf = (id: string) => (objectType ? objectPath(jobId, objectType, id) : `/source/${id}`);
  if (!objects.items) return objects.error ? <Failure error={objects.error} /> : <Loading />;
  return (
    <div className="stack tight">
      <Table label={title} head={["Name", "What was found"]}>
        {objects.items.map((one) => (
          <tr key={one.id + one.detail} className="linked">
            <td>
              <a href={href(pathOf(one.id))}>{one.label}</a>
              {one.userPrincipalName && <div className="small subtle break">{one.userPrincipalName}</div>}
            </td>
            <td className="break">{one.detail}</td>
          </tr>
        ))}
      </Table>
      <Failure error={objects.error} />
      <More pages={objects} />
    </div>
  );
}
