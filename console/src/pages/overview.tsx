/** Overview: what is still to set up, then how the imports are. */
import { useQuery } from "../api/use";
import { Card, Failure, Head, LinkButton, Loading, Message } from "../ui/parts";
import { href } from "../route";
import { daysUntil, plural } from "../ui/time";
import { loadDestinations } from "./destination";
import { loadFilters } from "./filter";
import { type Job, JobTable, loadJobs, loadRecentRuns, loadWaitingRuns, type Run } from "./import";
import { pausedText } from "./import/schedule";
import { RunTable } from "./history";
import { loadConnections } from "./source";

export function Overview() {
  const state = useQuery("overview", async (signal) => {
    const [connections, filters, destinations, jobs, runs, waiting] = await Promise.all([loadConnections(signal), loadFilters(signal), loadDestinations(signal), loadJobs(signal), loadRecentRuns(signal), loadWaitingRuns(signal)]);
    return { connections, filters, destinations, jobs, runs: runs.items, waiting };
  });
  if (!state.data) return state.error ? <Failure error={state.error} /> : <Loading />;
  const { connections, filters, destinations, jobs, runs, waiting } = state.data;
  const steps: Step[] = [
    { title: "Source", text: "Connect your Microsoft Entra ID tenant, and check which data can be read.", to: connections[0] ? `/source/${connections[0].id}` : "/source/new", done: connections.some((one) => one.lastCheck && one.lastCheck.overall !== "failed") },
    { title: "Filter", text: "Optional: choose which users, groups and devices are imported, with a preview.", to: filters.length > 0 ? "/filter" : "/filter/new", done: filters.length > 0 },
    { title: "Destination", text: "Create an import source in Assets, and enter its token.", to: destinations.length > 0 ? "/destination" : "/destination/new", done: destinations.length > 0 },
    { title: "Import", text: "Build the object types, test with 100 users, look at a dry run, then import.", to: jobs[0] ? `/import/${jobs[0].id}` : "/import/new", done: [...jobs.map((job) => job.lastRun), ...runs].some((run) => run?.mode !== "dryRun" && run?.mode !== "test" && (run?.state === "succeeded" || run?.state === "degraded")) },
  ];
  const isSetUp = steps.every((step) => step.done || step.title === "Filter");
  return (
    <>
      <Head title={isSetUp ? "Overview" : "Set up the import"} intro={isSetUp ? undefined : "Four steps from your Microsoft Entra ID directory to objects in Assets."} />
      <div className="stack loose">
        <Attention connections={connections} waiting={waiting} jobs={jobs} />
        {!isSetUp && <SetUp steps={steps} />}
        {jobs.length > 0 && (
          <Card title="Imports">
            <JobTable jobs={jobs} />
          </Card>
        )}
        {runs.length > 0 && (
          <Card title="Last runs" aside={<a href={href("/history")}>All runs</a>}>
            <RunTable runs={runs.slice(0, 5)} named />
          </Card>
        )}
      </div>
    </>
  );
}

type Step = { title: string; text: string; to: string; done: boolean };

function SetUp({ steps }: { steps: Step[] }) {
  const next = steps.find((step) => !step.done && step.title !== "Filter");
  return (
    <ol className="steps large">
      {steps.map((step) => (
        <li key={step.title} className={step.done ? "done" : step === next ? "now" : undefined}>
          <div className="card row apart">
            <div className="stack tight grow">
              <h2>
                {step.title}
                {step.done && <span className="hidden"> (done)</span>}
              </h2>
              <p className="subtle">{step.text}</p>
            </div>
            <LinkButton to={step.to} kind={step === next ? "primary" : "default"}>
              {step.done ? "Open" : "Begin"}
            </LinkButton>
          </div>
        </li>
      ))}
    </ol>
  );
}

type State = { jobs: Job[]; connections: Awaited<ReturnType<typeof loadConnections>>; waiting: Run[] };

/** What somebody should do today. */
function Attention({ connections, waiting, jobs }: State) {
  // What somebody paused by hand needs no reminder.
  const paused = jobs.filter((job) => job.schedule?.pausedReason && job.schedule.pausedReason !== "manual");
  const ending = connections.filter((one) => one.credential.expiresAt && daysUntil(one.credential.expiresAt) <= 30);
  return (
    <>
      {waiting.map((run) => (
        <Message key={run.id} tone="warning" title="A run waits for your approval">
          <p>
            {run.job ? `«${run.job.name}»` : "The import"} stopped before it sends anything. <a href={href(`/runs/${run.id}`)}>Look at the run</a>
          </p>
        </Message>
      ))}
      {paused.map((job) => (
        <Message key={job.id} tone="warning" title={`The schedule of «${job.name}» is paused`}>
          <p>
            {pausedText(job.schedule?.pausedReason ?? "")}. <a href={href(`/import/${job.id}`)}>Look at the import and resume it</a>
          </p>
        </Message>
      ))}
      {ending.map((one) => {
        const days = daysUntil(one.credential.expiresAt ?? "");
        return (
          <Message key={one.id} tone={days <= 0 ? "danger" : "warning"} title={days <= 0 ? `The credential of «${one.name}» has expired` : `The credential of «${one.name}» ends in ${plural(days, "day")}`}>
            <p>
              Create a new one in Entra and <a href={href(`/source/${one.id}`)}>enter it</a>.
            </p>
          </Message>
        );
      })}
    </>
  );
}
