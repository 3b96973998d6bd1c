/** Starting a run, also where the connection now reaches another tenant than the runs before. */
import { answer, api, idempotencyKey, Refused, type Schema } from "../../api/client";
import { useAction } from "../../api/use";
import { go } from "../../route";
import { Button, Confirm, Failure } from "../../ui/parts";
import type { Job } from "../import";

async function start(jobId: string, body: Schema<"CreateRun">): Promise<void> {
  const params = { path: { id: jobId }, header: { "Idempotency-Key": idempotencyKey() } };
  go(`/runs/${(await answer(api.POST("/v1/jobs/{id}/runs", { params, body }))).id}`);
}

export const TENANT_CHANGED = "tenant_changed";

type Props = { job: Job; mode: Schema<"RunMode">; button: string; primary?: boolean };

export function RunButton({ job, mode, button, primary }: Props) {
  const run = useAction(() => start(job.id, mode === "test" ? { mode, limit: 100 } : { mode }));
  return (
    <>
      <Button kind={primary ? "primary" : "default"} pending={run.pending} onClick={() => void run.run()}>
        {button}
      </Button>
      <Failure error={run.error} />
      {run.error instanceof Refused && run.error.problem.code === TENANT_CHANGED && <NewTenantButton jobId={job.id} />}
    </>
  );
}

/** Forgets what the import knows of the tenant before. */
export function NewTenantButton({ jobId }: { jobId: string }) {
  const again = useAction(() => start(jobId, { mode: "full", resetMirror: true }));
  return (
    <Confirm button="Start again with this tenant" title="Start again with this tenant?" confirm="Start the import" onConfirm={again.run} pending={again.pending} error={again.error}>
      <p>The import forgets what it read and sent before, reads everything from the tenant of its source, and sends it to Assets. What becomes of the objects of the tenant before depends on what Assets does with missing objects.</p>
      <p>If the tenant is a mistake, correct it in the settings of the source instead.</p>
    </Confirm>
  );
}
