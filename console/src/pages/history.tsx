/** History: all runs with a chart of how long they took, the schedules, and what the directory looks like. */
import { useState } from "react";
import { answer, api, type Schema } from "../api/client";
import { useQuery } from "../api/use";
import { href } from "../route";
import { actorText } from "../ui/actor";
import { Select } from "../ui/form";
import { usePages } from "../ui/pages";
import { Card, Empty, Failure, Head, LinkButton, Loading, More, Table } from "../ui/parts";
import { between, Moment, number } from "../ui/time";
import { sentence } from "../ui/words";
import { loadJobs, type Run } from "./import";
import { Insights } from "./import/insights";
import { RunChart } from "./run/chart";
import { RunState, runTitle, STATE_OPTIONS } from "./run/state";
import { NoImport, Schedules } from "./schedules";

const PARTS: [path: string, name: string][] = [
  ["runs", "Runs"],
  ["schedules", "Schedules"],
  ["insights", "Insights"],
];

export function HistoryPages({ path: [part = "runs"] }: { path: string[] }) {
  return (
    <>
      <Head title="History" intro="Every run with its statistics and its changes, the next times, and what the directory looks like." />
      <nav className="tabs" aria-label="History">
        {PARTS.map(([path, name]) => (
          <a key={path} href={href(`/history/${path}`)} aria-current={part === path ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      {part === "schedules" ? <Schedules /> : part === "insights" ? <InsightsOfJobs /> : <AllRuns />}
    </>
  );
}

function InsightsOfJobs() {
  const jobs = useQuery("jobs", loadJobs);
  const [chosen, setChosen] = useState("");
  const jobId = chosen || jobs.data?.[0]?.id;
  if (!jobs.data) return jobs.error ? <Failure error={jobs.error} /> : <Loading />;
  if (!jobId) return <NoImport />;
  return (
    <div className="stack">
      <div className="grid2">
        <Select label="Import" value={jobId} onChange={setChosen} options={jobs.data.map((job) => [job.id, job.name])} />
      </div>
      <Insights key={jobId} jobId={jobId} />
    </div>
  );
}

function AllRuns() {
  const [jobId, setJobId] = useState("");
  const [state, setState] = useState("");
  const jobs = useQuery("jobs", loadJobs);
  return (
    <div className="stack">
      <div className="grid2">
        <Select label="Import" value={jobId} onChange={setJobId} options={[["", "All imports"], ...(jobs.data ?? []).map((job): [string, string] => [job.id, job.name])]} />
        <Select label="Result" value={state} onChange={setState} options={[["", "All results"], ...STATE_OPTIONS]} />
      </div>
      <Runs key={`${jobId} ${state}`} jobId={jobId || undefined} state={(state || undefined) as Schema<"RunState"> | undefined} />
    </div>
  );
}

type RunsProps = { jobId: string | undefined; state: Schema<"RunState"> | undefined };

function Runs({ jobId, state }: RunsProps) {
  const runs = usePages(`runs ${jobId} ${state}`, (cursor, signal) =>
    answer(api.GET("/v1/runs", { params: { query: { jobId, state: state && [state], expand: ["job"], limit: 50, cursor } }, signal })),
  );
  if (!runs.items) return runs.error ? <Failure error={runs.error} /> : <Loading />;
  if (runs.items.length === 0) {
    return (
      <Empty icon="history" title="No run" action={<LinkButton to="/import">Go to Import</LinkButton>}>
        Start a run on the page of an import.
      </Empty>
    );
  }
  return (
    <>
      <RunChart runs={runs.items} />
      <Card>
        <RunTable runs={runs.items} named />
      </Card>
      <Failure error={runs.error} />
      <More pages={runs}>Show earlier runs</More>
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
          <td className="break">{sentence(actorText(run.triggeredBy))}</td>
          <td className="number">{between(run.startedAt, run.finishedAt)}</td>
          <td className="number">{number(objectsRead(run))}</td>
        </tr>
      ))}
    </Table>
  );
}

export const objectsRead = (run: Run) => Object.entries(run.counts).reduce((sum, [type, counts]) => sum + (type === "memberships" ? 0 : (counts.read ?? 0)), 0);
