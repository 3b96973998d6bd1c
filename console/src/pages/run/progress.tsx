/** How far a run is: its stages, the current one's pace, and what Graph lets it do. */
import { useRef } from "react";
import type { Schema } from "../../api/client";
import { Card, Facts, Progress } from "../../ui/parts";
import { duration, number } from "../../ui/time";
import type { Log } from "./follow";

type Run = Schema<"RunResponse">;

const STAGES: [Schema<"RunStage">, string][] = [
  ["collect", "Read from Entra"],
  ["diff", "Compare"],
  ["deliver", "Send to Assets"],
  ["settle", "Finish"],
];

export function LiveProgress({ run, messages }: { run: Run; messages: Log[] }) {
  const { progress } = run;
  const now = STAGES.findIndex(([stage]) => stage === (progress?.stage ?? run.stage));
  const last = messages.at(-1);
  return (
    <Card title="Progress">
      <div className="stack">
        <ol className="stages">
          {STAGES.filter(([stage]) => run.mode !== "dryRun" || stage === "collect" || stage === "diff").map(([stage, text], place) => (
            <li key={stage} className={place < now ? "done" : place === now ? "now" : undefined} aria-current={place === now ? "step" : undefined}>
              {text}
            </li>
          ))}
        </ol>
        <Progress label="Progress of the stage" done={progress?.done ?? 0} total={progress?.total} />
        {progress && (
          <Facts
            items={[
              ["Objects", `${number(progress.done)}${progress.total ? ` of ${number(progress.total)}` : ""}`],
              ["Pace", `${number(Math.round(progress.objectsPerSecond))} each second`],
              ["Left", progress.etaSeconds === null || progress.etaSeconds === undefined ? "–" : duration(progress.etaSeconds * 1000)],
              ["Throttle", <Throttle key="t" progress={progress} />],
            ]}
          />
        )}
        <p className="small subtle" role="status">
          {last?.message ?? "The run waits for a worker."}
        </p>
      </div>
    </Card>
  );
}

/** What Graph allows an application in a large tenant, and what the service uses unless its operator says otherwise. */
const USUAL_UNITS = 8000;

/** How many of its resource units Graph still allows at once. The operator may have set more than the usual most: then the most that was seen. */
function Throttle({ progress }: { progress: Schema<"Progress"> }) {
  const left = progress.resourceUnitsLeft;
  const most = useRef(USUAL_UNITS);
  most.current = Math.max(most.current, left ?? 0);
  return (
    <span className="stack tight">
      {left !== null && left !== undefined && (
        <meter min={0} max={most.current} low={most.current / 4} optimum={most.current} value={left} aria-label="Resource units left">
          {left}
        </meter>
      )}
      <span className="small subtle">{progress.throttledMs > 0 ? `Graph made it wait ${duration(progress.throttledMs)}` : "Graph lets it read at full pace"}</span>
    </span>
  );
}
