/** The changes of a run, page by page. Of pages that were scrolled past only the rows stay; their values are loaded again. */
import { useCallback, useEffect, useRef, useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { asError, persist } from "../../api/use";

type Change = Schema<"RunChange">;
export type Row = Pick<Change, "objectType" | "objectId" | "label" | "action" | "reason">;
export type Query = { type?: Schema<"ObjectType">; action?: Schema<"ChangeAction"> };

export const PAGE = 200;

export function useChanges(id: string, query: Query) {
  // Not state: a long list would be copied with each page.
  const { rows, cursors } = useRef({ rows: [] as Row[], cursors: [null] as (string | null)[] }).current;
  const [, setCount] = useState(0);
  const [done, setDone] = useState(false);
  const [error, setError] = useState<Error>();
  const busy = useRef(false);
  const stop = useRef(new AbortController());
  const load = useCallback(
    (cursor: string | null, signal: AbortSignal) =>
      persist(() => answer(api.GET("/v1/runs/{id}/changes", { params: { path: { id }, query: { ...query, limit: PAGE, cursor: cursor ?? undefined } }, signal })), signal),
    [id, query],
  );
  const more = useCallback(async () => {
    if (busy.current || done) return;
    busy.current = true;
    const { signal } = stop.current;
    try {
      const page = await load(cursors.at(-1) ?? null, signal);
      rows.push(...page.items.map(rowOf));
      if (page.nextCursor === null) setDone(true);
      else cursors.push(page.nextCursor);
      setCount(rows.length);
    } catch (error) {
      if (!signal.aborted) setError(asError(error));
    } finally {
      busy.current = false;
    }
  }, [rows, cursors, done, load]);
  useEffect(() => {
    if (rows.length === 0) void more();
  }, [more, rows]);
  useEffect(() => {
    stop.current = new AbortController();
    return () => stop.current.abort();
  }, []);
  /** The values of one row, from the page that it is on. */
  const details = useCallback(
    async (place: number, signal: AbortSignal): Promise<Change | undefined> => {
      const page = await load(cursors[Math.floor(place / PAGE)] ?? null, signal);
      return page.items[place % PAGE];
    },
    [cursors, load],
  );
  return { rows, done, error, more, details };
}

const rowOf = ({ objectType, objectId, label, action, reason }: Change): Row => ({ objectType, objectId, label, action, reason });
