/** Import: jobs, each of which connects a source, a filter and a destination. */
import { all, answer, api, type Schema } from "../api/client";
import { useQuery } from "../api/use";
import { href } from "../route";
import { Empty, Failure, Head, LinkButton, Loading, Table } from "../ui/parts";
import { Moment } from "../ui/time";
import { JobForm } from "./import/form";
import { JobPage } from "./import/job";
import { pausedText } from "./import/schedule";
import { RunState, runTitle } from "./run/state";

export type Job = Schema<"JobResponse">;
export type Run = Schema<"RunResponse">;

export const loadJobs = (signal: AbortSignal) => all((cursor) => answer(api.GET("/v1/jobs", { params: { query: { limit: 200, cursor, expand: ["lastRun"] } }, signal })));
export const loadRecentRuns = (signal: AbortSignal) => answer(api.GET("/v1/runs", { params: { query: { limit: 20, expand: ["job"] } }, signal }));
export const loadWaitingRuns = (signal: AbortSignal) => all((cursor) => answer(api.GET("/v1/runs", { params: { query: { state: ["awaitingApproval"], limit: 200, cursor, expand: ["job"] } }, signal })));

export function ImportPages({ path: [id] }: { path: string[] }) {
  if (id === "new") return <NewJob />;
  if (id !== undefined) return <JobPage id={id} key={id} />;
  return <Jobs />;
}

function Jobs() {
  const jobs = useQuery("jobs", loadJobs);
  return (
    <>
      <Head title="Import" intro="An import connects a source, a filter and a destination, and runs by hand or by a schedule.">
        <LinkButton to="/import/new" kind="primary" icon="plus">
          Create an import
        </LinkButton>
      </Head>
      <Failure error={jobs.error} />
      {jobs.loading && <Loading />}
      {jobs.data?.length === 0 && (
        <Empty icon="import" title="No import yet" action={<LinkButton to="/import/new">Create an import</LinkButton>}>
          It needs a source, and a destination to deliver to. A dry run then shows what would change, before anything is sent.
        </Empty>
      )}
      {jobs.data && jobs.data.length > 0 && (
        <div className="card">
          <JobTable jobs={jobs.data} />
        </div>
      )}
    </>
  );
}

export function JobTable({ jobs }: { jobs: Job[] }) {
  return (
    <Table label="Imports" head={["Name", "Last run", "Started", "Schedule"]}>
      {jobs.map((job) => {
        const last = job.lastRun;
        return (
          <tr key={job.id} className="linked">
            <td>
              <a href={href(`/import/${job.id}`)}>{job.name}</a>
            </td>
            <td>
              {last ? (
                <span className="row">
                  <RunState run={last} />
                  <a href={href(`/runs/${last.id}`)}>{runTitle(last)}</a>
                </span>
              ) : (
                <span className="subtle">Never</span>
              )}
            </td>
            <td>
              <Moment at={last?.startedAt ?? last?.queuedAt} />
            </td>
            <td>
              <NextRun job={job} />
            </td>
          </tr>
        );
      })}
    </Table>
  );
}

export function NextRun({ job }: { job: Job }) {
  const { schedule } = job;
  if (!schedule) return <span className="subtle">By hand</span>;
  if (schedule.pausedReason) return <span>{pausedText(schedule.pausedReason)}</span>;
  if (!schedule.enabled) return <span className="subtle">Switched off</span>;
  return (
    <>
      Next: <Moment at={schedule.nextRunAt} />
    </>
  );
}

function NewJob() {
  return (
    <>
      <Head title="Create an import" crumbs={{ to: "/import", text: "Import" }} intro="Nothing is sent to Assets until you start a run." />
      <JobForm />
    </>
  );
}
