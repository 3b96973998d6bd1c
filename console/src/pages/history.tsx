/** History: all runs, with a chart of how long they took. */
import { useState } from "react";
import { answer, api, type Schema } from "../api/client";
import { useAction, useQuery } from "../api/use";
import { href } from "../route";
import { Select } from "../ui/form";
import { Button, Card, Empty, Failure, Head, LinkButton, Loading, Table } from "../ui/parts";
import { between, Moment, number } from "../ui/time";
import { loadJobs, type Run } from "./import";
import { RunChart } from "./run/chart";
import { requestedBy, RunState, runTitle, STATE_OPTIONS } from "./run/state";

export function HistoryPages() {
  const [jobId, setJobId] = useState("");
  const [state, setState] = useState("");
  const jobs = useQuery("jobs", loadJobs);
  return (
    <>
      <Head title="History" intro="Every run with its statistics and its changes. Reports can be downloaded for Excel." />
      <div className="stack">
        <div className="grid2">
          <Select label="Import" value={jobId} onChange={setJobId} options={[["", "All imports"], ...(jobs.data ?? []).map((job): [string, string] => [job.id, job.name])]} />
          <Select label="Result" value={state} onChange={setState} options={[["", "All results"], ...STATE_OPTIONS]} />
        </div>
        <Runs key={`${jobId} ${state}`} jobId={jobId || undefined} state={(state || undefined) as Schema<"RunState"> | undefined} />
      </div>
    </>
  );
}

type RunsProps = { jobId: string | undefined; state: Schema<"RunState"> | undefined };

function Runs({ jobId, state }: RunsProps) {
  const load = (cursor: string | undefined, signal?: AbortSignal) =>
    answer(api.GET("/v1/runs", { params: { query: { jobId, state: state && [state], expand: ["job"], limit: 50, cursor } }, signal }));
  const first = useQuery(`runs ${jobId} ${state}`, (signal) => load(undefined, signal));
  const [more, setMore] = useState<Run[]>([]);
  const [cursor, setCursor] = useState<string | null>();
  const next = cursor === undefined ? first.data?.nextCursor : cursor;
  const loadMore = useAction(async () => {
    const page = await load(next ?? undefined);
    setMore((before) => [...before, ...page.items]);
    setCursor(page.nextCursor);
  });
  if (!first.data) return first.error ? <Failure error={first.error} /> : <Loading />;
  const runs = [...first.data.items, ...more];
  if (runs.length === 0) {
    return (
      <Empty icon="history" title="No run" action={<LinkButton to="/import">Go to Import</LinkButton>}>
        Start a run on the page of an import.
      </Empty>
    );
  }
  return (
    <>
      <RunChart runs={runs} />
      <Card>
        <RunTable runs={runs} named />
      </Card>
      <Failure error={loadMore.error} />
      {next && (
        <div>
          <Button pending={loadMore.pending} onClick={() => void loadMore.run()}>
            Show earlier runs
          </Button>
        </div>
      )}
    </>
  );
}

/** `named`: with the import of each run. */
export function RunTable({ runs, named }: { runs: Run[]; named?: boolean }) {
  const head = ["Run", ...(named ? ["Import"] : []), "Result", "Started", "By", { text: "Duration", number: true as const }, { text: "Objects read", number: true as const }];
  return (
    <Table label="Runs" head={head}>
      {runs.map((run) => (
        <tr key={run.id} className="linked">
          <td>
            <a href={href(`/runs/${run.id}`)}>{runTitle(run)}</a>
          </td>
          {named && <td>{run.job?.name ?? "–"}</td>}
          <td>
            <RunState run={run} />
          </td>
          <td>
            <Moment at={run.startedAt ?? run.queuedAt} />
          </td>
          <td className="break">{requestedBy(run)}</td>
          <td className="number">{between(run.startedAt, run.finishedAt)}</td>
          <td className="number">{number(objectsRead(run))}</td>
        </tr>
      ))}
    </Table>
  );
}

export const objectsRead = (run: Run) => Object.entries(run.counts).reduce((sum, [type, counts]) => sum + (type === "memberships" ? 0 : (counts.read ?? 0)), 0);
