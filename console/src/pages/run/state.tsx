/** A run in a few words. */
import type { Schema } from "../../api/client";
import { Lozenge, type Tone } from "../../ui/parts";

type Run = Schema<"RunResponse">;

const STATES: Record<Schema<"RunState">, { text: string; tone: Tone }> = {
  queued: { text: "Waiting", tone: "neutral" },
  running: { text: "Running", tone: "information" },
  awaitingApproval: { text: "Waits for approval", tone: "warning" },
  succeeded: { text: "Succeeded", tone: "success" },
  degraded: { text: "Succeeded in part", tone: "warning" },
  failed: { text: "Failed", tone: "danger" },
  cancelled: { text: "Cancelled", tone: "neutral" },
};

const MODES: Record<Schema<"RunMode">, string> = { test: "Test", full: "Full import", incremental: "Import of changes", dryRun: "Dry run" };

export const STATE_OPTIONS = Object.entries(STATES).map(([state, { text }]) => [state, text] as [Schema<"RunState">, string]);

export function RunState({ run }: { run: Pick<Run, "state"> & { cancelRequested?: boolean } }) {
  if (run.state === "running" && run.cancelRequested) return <Lozenge tone="warning">Stopping</Lozenge>;
  return <Lozenge tone={STATES[run.state].tone}>{STATES[run.state].text}</Lozenge>;
}

export const runTitle = (run: Pick<Run, "mode">) => MODES[run.mode];
/** Whether it only says what would be done. */
export const isPlan = (run: Pick<Run, "finishedAt" | "mode">) => run.mode === "dryRun" || !isOver(run);
export const isOver = (run: Pick<Run, "finishedAt">) => run.finishedAt !== null;
