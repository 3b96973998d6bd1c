/** The schedule of an import: its next times, and pausing it. */
import { answer, api, type Schema } from "../../api/client";
import { useAction } from "../../api/use";
import { Button, Card, Failure, Lozenge } from "../../ui/parts";
import { Moment } from "../../ui/time";
import { wordsOf } from "../../ui/words";
import type { Job } from "../import";
import { inWords } from "./rhythm";

type Schedule = Schema<"ScheduleResponse">;

const REASONS: Record<string, string> = { manual: "by hand", missing_objects_observed: "because Assets treats missing objects in another way than the destination says" };
export const pausedText = (reason: string) => `Paused ${REASONS[reason] ?? `(${wordsOf(reason.replaceAll("_", " ")).toLowerCase()})`}`;

export function scheduleText({ cron, fullCron, timezone, mode }: Schedule): string {
  const also = fullCron ? `; everything: ${inWords(fullCron).replace(/^E/, "e")}` : "";
  return `${inWords(cron)} (${timezone}), ${mode === "full" ? "everything" : "what changed"}${also}`;
}

/** Stops the schedule or lets it go on. Runs that are under way are not touched. */
export function PauseButton({ job, onChanged }: { job: Job; onChanged: () => void }) {
  const { schedule } = job;
  const isOff = schedule !== null && (schedule.pausedReason !== null || !schedule.enabled);
  const turn = useAction(async () => {
    await answer(api.POST(isOff ? "/v1/jobs/{id}/resume" : "/v1/jobs/{id}/pause", { params: { path: { id: job.id } } }));
    onChanged();
  });
  if (!schedule) return null;
  return (
    <>
      <Button pending={turn.pending} onClick={() => void turn.run()} label={`${isOff ? "Resume" : "Pause"} the schedule of ${job.name}`}>
        {isOff ? "Resume" : "Pause"}
      </Button>
      <Failure error={turn.error} />
    </>
  );
}

export function ScheduleCard({ job, onChanged }: { job: Job; onChanged: () => void }) {
  const { schedule } = job;
  if (!schedule) return null;
  const next = schedule.nextRuns ?? [];
  return (
    <Card title="Schedule" aside={<PauseButton job={job} onChanged={onChanged} />}>
      <div className="stack tight">
        <p>{scheduleText(schedule)}</p>
        {schedule.pausedReason && (
          <p>
            <Lozenge tone="warning">{pausedText(schedule.pausedReason)}</Lozenge> Runs can be started by hand.
          </p>
        )}
        {next.length > 0 && (
          <ul className="row" aria-label="Next times">
            {next.map((one) => (
              <li key={one.at}>
                <Lozenge tone={one.mode === "full" ? "information" : "neutral"}>
                  <Moment at={one.at} /> · {one.mode === "full" ? "everything" : "what changed"}
                </Lozenge>
              </li>
            ))}
          </ul>
        )}
        {(schedule.retry.attempts ?? 0) > 0 && (
          <p className="small subtle">
            A failed run is repeated up to {schedule.retry.attempts} times, each {schedule.retry.afterMinutes} minutes later.
          </p>
        )}
      </div>
    </Card>
  );
}
