/** One import: build, test, dry run, full run; its settings; its last runs. */
import { answer, api, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { go, href, useRoute } from "../../route";
import { Card, Confirm, Failure, Head, Loading, Message, Tabs } from "../../ui/parts";
import { RunTable } from "../history";
import { type Job, NextRun, type Run } from "../import";
import { ObjectList } from "../objects/list";
import { RunState } from "../run/state";
import { JiraAccounts } from "./accounts";
import { Explain } from "./explain";
import { FitView } from "./fit";
import { JobForm } from "./form";
import { Insights } from "./insights";
import { ScheduleCard } from "./schedule";
import { BuildStep } from "./schema";
import { RunButton } from "./start";

type Mode = Schema<"RunMode">;
type Tab = "run" | "explain" | "settings" | "fit" | "objects" | "accounts" | "insights" | "history";

const TABS: [Tab, string][] = [
  ["run", "Run"],
  ["settings", "Settings"],
  ["fit", "Does it fit?"],
  ["explain", "Why is … not in?"],
  ["objects", "Objects"],
  ["accounts", "Jira accounts"],
  ["insights", "Insights"],
  ["history", "History"],
];

export function JobPage({ id }: { id: string }) {
  const { query } = useRoute();
  const tab = TABS.find(([name]) => name === query.get("tab"))?.[0] ?? "run";
  const setTab = (tab: Tab) => go(tab === "run" ? `/import/${id}` : `/import/${id}?tab=${tab}`);
  const job = useQuery(`job ${id}`, (signal) => answer(api.GET("/v1/jobs/{id}", { params: { path: { id } }, signal })));
  const runs = useQuery(`runs of ${id}`, (signal) => answer(api.GET("/v1/jobs/{id}/runs", { params: { path: { id }, query: { limit: 50 } }, signal })));
  const remove = useAction(async () => {
    await answer(api.DELETE("/v1/jobs/{id}", { params: { path: { id } } }));
    go("/import");
  });
  if (!job.data) return job.error ? <Failure error={job.error} /> : <Loading />;
  const links = job.data.objects.users?.jiraUser === true;
  return (
    <>
      <Head title={job.data.name} crumbs={{ to: "/import", text: "Import" }} intro={<NextRun job={job.data} />} />
      <Tabs label="Import" value={tab} onChange={setTab} tabs={TABS.filter(([name]) => name !== "accounts" || links || name === tab)} />
      <div role="tabpanel" aria-label={tab}>
        {tab === "run" && (
          <div className="stack">
            <Failure error={runs.error} />
            {!runs.error && <Steps job={job.data} runs={runs.data?.items ?? []} />}
            <ScheduleCard job={job.data} onChanged={job.reload} />
          </div>
        )}
        {tab === "fit" && <FitView job={job.data} onChanged={job.reload} />}
        {tab === "objects" && <ObjectList job={job.data} />}
        {tab === "accounts" && <JiraAccounts jobId={id} />}
        {tab === "insights" && <Insights jobId={id} />}
        {tab === "explain" && <Explain jobs={[job.data]} />}
        {tab === "settings" && (
          <div className="stack loose">
            <JobForm
              key={job.data.version}
              job={job.data}
              onSaved={() => {
                job.reload();
                setTab("run");
              }}
            />
            <div>
              <Confirm kind="danger" button="Delete import" title={`Delete «${job.data.name}»?`} confirm="Delete" onConfirm={remove.run} pending={remove.pending} error={remove.error}>
                <p>Its runs and what it knows of the directory are deleted. Objects in Assets stay.</p>
              </Confirm>
            </div>
          </div>
        )}
        {tab === "history" && (runs.data ? <RunTable runs={runs.data.items} /> : runs.error ? <Failure error={runs.error} /> : <Loading />)}
      </div>
    </>
  );
}

function Steps({ job, runs }: { job: Job; runs: Run[] }) {
  const open = runs.find((run) => run.finishedAt === null);
  const last = (mode: Mode) => runs.find((run) => run.mode === mode);
  const hasDestination = job.destinationId !== null;
  return (
    <div className="stack">
      {open && (
        <Message tone={open.state === "awaitingApproval" ? "warning" : "information"} live title={open.state === "awaitingApproval" ? "A run waits for your approval" : "A run is in progress"}>
          <p>
            <a href={href(`/runs/${open.id}`)}>Open the run</a>
          </p>
        </Message>
      )}
      {!hasDestination && (
        <Message tone="information">
          <p>This import has no destination. It can only do dry runs.</p>
        </Message>
      )}
      {job.destinationId !== null && runs.some((run) => run.mode !== "dryRun" && isDone(run)) && <AskMissing id={job.destinationId} />}
      <ol className="steps large">
        {hasDestination && <BuildStep job={job} />}
        {hasDestination && (
          <RunStep job={job} mode="test" last={last("test")} title="Test with 100 users" button="Start the test">
            Reads the first 100 users with their groups and licences, and delivers them. It proves that reading and writing work.
          </RunStep>
        )}
        <RunStep job={job} mode="dryRun" last={last("dryRun")} title="Dry run" button="Start a dry run">
          Reads everything, and shows what would be created, changed and removed. Nothing is sent.
        </RunStep>
        {hasDestination && (
          <RunStep job={job} mode="full" last={last("full")} title="Full import" button="Start the import" primary also={<RunButton job={job} mode="incremental" button="Import only what changed" />}>
            Reads everything and delivers it to Assets.
          </RunStep>
        )}
      </ol>
    </div>
  );
}

const isDone = ({ state }: Run) => state === "succeeded" || state === "degraded";

/** Assets shows what it does with missing objects after the first import. Nobody but a person can say it here. */
function AskMissing({ id }: { id: string }) {
  const destination = useQuery(`destination ${id}`, (signal) => answer(api.GET("/v1/destinations/{id}", { params: { path: { id } }, signal })));
  if (destination.data?.missingObjects !== "unknown") return <Failure error={destination.error} />;
  return (
    <Message tone="information" title="What does Assets do with missing objects?">
      <p>
        Now Assets shows the setting «Missing objects» of each object type. Choose there what it shall do, then say the same in <a href={href(`/destination/${id}`)}>the settings of «{destination.data.name}»</a>. Until then every import sends everything, and no further test is possible.
      </p>
    </Message>
  );
}

type RunStepProps = { job: Job; mode: Mode; last?: Run; title: string; button: string; children: string; primary?: boolean; also?: React.ReactNode };

function RunStep({ job, mode, last, title, button, children, primary, also }: RunStepProps) {
  const done = last !== undefined && isDone(last);
  return (
    <li className={done ? "done" : undefined}>
      <Card title={title} aside={last && <LastRun run={last} />}>
        <div className="stack">
          <p>{children}</p>
          <div className="row">
            <RunButton job={job} mode={mode} button={button} primary={primary} />
            {also}
          </div>
        </div>
      </Card>
    </li>
  );
}

function LastRun({ run }: { run: Run }) {
  return (
    <a className="row" href={href(`/runs/${run.id}`)}>
      <RunState run={run} /> Last result
    </a>
  );
}
