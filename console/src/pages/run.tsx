/** A run: its progress while it runs, what it found, and what waits for a decision. */
import { answer, api, type Schema } from "../api/client";
import { useAction, useQuery } from "../api/use";
import { href } from "../route";
import { actorText } from "../ui/actor";
import { Downloads } from "../ui/download";
import { Button, Card, Confirm, Facts, Failure, Head, Loading, Message } from "../ui/parts";
import { Prose } from "../ui/prose";
import { between, Moment } from "../ui/time";
import type { Run } from "./import";
import { NewTenantButton, TENANT_CHANGED } from "./import/start";
import { PlaceLink, type Where } from "./places";
import { ASKS, Brake } from "./run/brake";
import { Changes } from "./run/changes";
import { AccountTable, CountTable } from "./run/counts";
import { useRun } from "./run/follow";
import { LiveProgress } from "./run/progress";
import { isOver, isPlan, RunState, runTitle } from "./run/state";
import { WarningText } from "./run/warning";
import { Remedies } from "./source/remedies";

const WAITS: Record<string, string> = { forgeToken: "The run waits for a token of the Forge app. It goes on by itself." };

export function RunPage({ id }: { id: string }) {
  const { run, error, messages, reload } = useRun(id);
  const job = useQuery(run ? `job ${run.jobId}` : null, (signal) => answer(api.GET("/v1/jobs/{id}", { params: { path: { id: run?.jobId ?? "" } }, signal })));
  if (!run) return error ? <Failure error={error} /> : <Loading />;
  const name = job.data?.name;
  const where: Where = { ...job.data, runId: id, jobId: run.jobId };
  return (
    <>
      <Head title={`${runTitle(run)}${name ? `: ${name}` : ""}`} crumbs={{ to: `/import/${run.jobId}`, text: name ?? "Import" }}>
        {!isOver(run) && run.state !== "awaitingApproval" && <CancelButton run={run} onDone={reload} />}
        {isOver(run) && <Downloads what="the report" formats={["xlsx", "csv", "json"]} path={(format) => `/v1/runs/${run.id}/report?format=${format}`} />}
      </Head>
      <div className="stack loose">
        <div className="row">
          <RunState run={run} />
          <span className="subtle">
            Started by {actorText(run.triggeredBy)}, <Moment at={run.startedAt ?? run.queuedAt} />
          </span>
          {run.approvedBy && (
            <span className="subtle">
              Approved by {actorText(run.approvedBy)}, <Moment at={run.approvedAt} />
            </span>
          )}
        </div>
        {run.waitReason && (
          <Message tone="information">
            <p>{WAITS[run.waitReason] ?? run.waitReason}</p>
          </Message>
        )}
        {!isOver(run) && run.state !== "awaitingApproval" && <LiveProgress run={run} messages={messages} />}
        {run.state === "awaitingApproval" && <Brake run={run} where={where} onDone={reload} />}
        {run.error && <RunFailure run={run} error={run.error} where={where} />}
        {run.warnings
          .filter((warning) => !(run.state === "awaitingApproval" && ASKS.includes(warning.code)))
          .map((warning) => (
            <Message key={warning.code + warning.detail} tone="warning">
              <WarningText warning={warning} where={where} />
            </Message>
          ))}
        {Object.keys(run.counts).length > 0 && (
          <Card title={run.mode === "dryRun" ? "What an import would do" : "Statistics"}>
            <CountTable counts={run.counts} isPlan={isPlan(run)} />
          </Card>
        )}
        {run.counts.users?.jiraUsers && (
          <Card title="Jira accounts of users" aside={<a href={href(`/import/${run.jobId}?tab=accounts`)}>Each user</a>}>
            <AccountTable counts={run.counts.users.jiraUsers} />
          </Card>
        )}
        {isOver(run) && (
          <Facts
            items={[
              ["Started", <Moment key="s" at={run.startedAt} />],
              ["Ended", <Moment key="e" at={run.finishedAt} />],
              ["Duration", between(run.startedAt, run.finishedAt)],
              ["Attempts", run.attempt],
            ]}
          />
        )}
        {(isOver(run) || run.state === "awaitingApproval") && <Changes run={run} />}
        {job.data && isOver(run) && (
          <p>
            <a href={href(`/import/${run.jobId}`)}>Back to the import</a>
          </p>
        )}
      </div>
    </>
  );
}

function RunFailure({ run, error, where }: { run: Run; error: Schema<"RunError">; where: Where }) {
  return (
    <Message tone={run.state === "cancelled" ? "information" : "danger"}>
      <p>
        <Prose text={error.detail} /> <code className="subtle">{error.code}</code>
      </p>
      {error.advice && (
        <p>
          <Prose text={error.advice} />
        </p>
      )}
      <PlaceLink code={error.code} where={where} />
      <Remedies remedies={error.remedies ?? []} />
      {error.code === TENANT_CHANGED && (
        <div>
          <NewTenantButton jobId={run.jobId} />
        </div>
      )}
      {error.requestId && <p className="small subtle">Request {error.requestId}</p>}
    </Message>
  );
}

function CancelButton({ run, onDone }: { run: Run; onDone: () => void }) {
  const cancel = useAction(async () => {
    await answer(api.POST("/v1/runs/{id}/cancel", { params: { path: { id: run.id } } }));
    onDone();
  });
  if (run.cancelRequested) return <Button disabled>Stopping…</Button>;
  return (
    <Confirm kind="danger" button="Cancel run" title="Cancel this run?" confirm="Cancel the run" onConfirm={cancel.run} pending={cancel.pending} error={cancel.error}>
      <p>The import is closed in Assets without changes, unless Assets already processes its data. The next run begins again, from the start.</p>
    </Confirm>
  );
}
