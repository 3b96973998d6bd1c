/** Objects and duration of the last runs. The table below it has the same numbers. */
import { Card } from "../../ui/parts";
import { between, number } from "../../ui/time";
import { objectsRead } from "../history";
import type { Run } from "../import";
import { runTitle } from "./state";

const MOST = 40;
const HEIGHT = 96;
const TONES: Partial<Record<Run["state"], string>> = { failed: "var(--ds-icon-danger)", cancelled: "var(--ds-icon-disabled)", degraded: "var(--ds-icon-warning)" };

export function RunChart({ runs }: { runs: Run[] }) {
  const shown = runs.filter((run) => run.finishedAt && run.startedAt).slice(0, MOST).reverse();
  if (shown.length < 2) return null;
  const seconds = (run: Run) => (Date.parse(run.finishedAt ?? "") - Date.parse(run.startedAt ?? "")) / 1000;
  return (
    <Card title={`The last ${shown.length} runs`}>
      <div className="grid2">
        <Bars title="Objects read" runs={shown} value={objectsRead} text={(run) => number(objectsRead(run))} />
        <Bars title="Duration" runs={shown} value={seconds} text={(run) => between(run.startedAt, run.finishedAt)} />
      </div>
    </Card>
  );
}

type BarsProps = { title: string; runs: Run[]; value: (run: Run) => number; text: (run: Run) => string };

function Bars({ title, runs, value, text }: BarsProps) {
  const most = Math.max(1, ...runs.map(value));
  const width = 100 / Math.max(12, runs.length);
  return (
    <figure>
      <figcaption className="small subtle">{title}</figcaption>
      <svg className="bars" viewBox={`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${title} of the last ${runs.length} runs`}>
        {runs.map((run, place) => {
          const height = Math.max(1, (value(run) / most) * (HEIGHT - 4));
          return (
            <rect key={run.id} x={place * width} y={HEIGHT - height} width={width * 0.8} height={height} fill={TONES[run.state] ?? "var(--ds-icon-brand)"}>
              <title>{`${runTitle(run)}: ${text(run)}`}</title>
            </rect>
          );
        })}
      </svg>
    </figure>
  );
}
