/** The list of changes of a run. Only the rows in sight are in the page, so that it may be very long. */
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import type { Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { go, useRoute } from "../../route";
import { Select } from "../../ui/form";
import { Card, Failure, Loading } from "../../ui/parts";
import { number } from "../../ui/time";
import { reasonText, typeName } from "../../ui/words";
import { CHANGES_ID } from "../places";
import { ACTIONS, ActionLozenge, actionText } from "./action";
import { Difference } from "./difference";
import { isMatching, MatchTabs } from "./matches";
import { type Query, type Row, useChanges } from "./pages";

type Run = Schema<"RunResponse">;

export function Changes({ run }: { run: Run }) {
  const { query: route } = useRoute();
  const [type, setType] = useState("");
  // In the address, so that advice can lead to a list.
  const action = ACTIONS.find((one) => one === route.get("action")) ?? "";
  const setAction = (action: string) => go(`/runs/${run.id}${action && `?action=${action}`}`);
  const query = useMemo(() => ({ type: type || undefined, action: action || undefined }) as Query, [type, action]);
  return (
    <Card title={run.mode === "dryRun" ? "What would change" : "Changes"}>
      <div className="stack" id={CHANGES_ID} tabIndex={-1}>
        {isMatching(run) && <MatchTabs run={run} value={action} onChange={setAction} />}
        <div className="grid2">
          <Select label="Type" value={type} onChange={setType} options={[["", "All types"], ...Object.keys(run.counts).filter((type) => type !== "memberships").map((type): [string, string] => [type, typeName(type)])]} />
          <Select label="Change" value={action} onChange={setAction} options={[["", "All changes"], ...ACTIONS.map((action): [string, string] => [action, actionText(action)])]} />
        </div>
        <ChangeList key={`${type} ${action}`} run={run} query={query} />
      </div>
    </Card>
  );
}

const ROW = 40;
const HEIGHT = 480;
const BEYOND = 8;

function ChangeList({ run, query }: { run: Run; query: Query }) {
  const { rows, done, error, more, details } = useChanges(run.id, query);
  const [top, setTop] = useState(0);
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const change = useQuery(rows[chosen] ? `change ${run.id} ${JSON.stringify(query)} ${chosen}` : null, (signal) => details(chosen, signal));
  if (error) return <Failure error={error} />;
  if (rows.length === 0) return done ? <p className="subtle">Nothing of this kind.</p> : <Loading />;
  const from = Math.max(0, Math.floor(top / ROW) - BEYOND);
  const to = Math.min(rows.length, Math.ceil((top + HEIGHT) / ROW) + BEYOND);
  const scrolled = (element: HTMLElement) => {
    setTop(element.scrollTop);
    if (element.scrollTop + HEIGHT * 3 > rows.length * ROW) void more();
  };
  const choose = (place: number) => {
    const next = Math.min(rows.length - 1, Math.max(0, place));
    setChosen(next);
    const element = list.current;
    if (!element) return;
    if (next * ROW < element.scrollTop) element.scrollTop = next * ROW;
    if ((next + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (next + 1) * ROW - element.clientHeight;
  };
  return (
    <div className="changes">
      <div
        ref={list}
        className="list"
        style={{ maxHeight: HEIGHT }}
        role="listbox"
        tabIndex={0}
        aria-label="Changes"
        aria-activedescendant={`change-${chosen}`}
        onScroll={(event) => scrolled(event.currentTarget)}
        onKeyDown={(event) => onKey(event, chosen, choose)}
      >
        <div style={{ height: rows.length * ROW }} role="presentation">
          {rows.slice(from, to).map((row, index) => (
            <ChangeRow key={from + index} row={row} place={from + index} total={done ? rows.length : -1} chosen={from + index === chosen} onChoose={choose} />
          ))}
        </div>
      </div>
      <div className="panel stack" aria-live="polite">
        {change.data ? <Difference change={change.data} jobId={run.jobId} /> : change.error ? <Failure error={change.error} /> : <Loading />}
      </div>
      <p className="small subtle">
        {number(rows.length)} {done ? "in all" : "loaded; scroll for more"}
      </p>
    </div>
  );
}

const KEYS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

function onKey(event: KeyboardEvent, chosen: number, choose: (place: number) => void): void {
  const step = KEYS[event.key];
  if (step === undefined) return;
  event.preventDefault();
  choose(chosen + step);
}

type RowProps = { row: Row; place: number; total: number; chosen: boolean; onChoose: (place: number) => void };

function ChangeRow({ row, place, total, chosen, onChoose }: RowProps) {
  return (
    <div id={`change-${place}`} role="option" aria-selected={chosen} aria-posinset={place + 1} aria-setsize={total} className="line" style={{ top: place * ROW, height: ROW }} onClick={() => onChoose(place)}>
      <ActionLozenge action={row.action} />
      <span className="label">{row.label ?? row.objectId}</span>
      <span className="small subtle">
        {typeName(row.objectType)}
        {row.reason && row.reason !== "new" ? `, ${reasonText(row.reason)}` : ""}
      </span>
    </div>
  );
}
