/** Follows a run by its events, which also works where no stream is possible. */
import { useCallback, useEffect, useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useSession } from "../../api/session";
import { asError, persist } from "../../api/use";

type Run = Schema<"RunResponse">;
export type Log = { id: number; at: string; message: string };

export function useRun(id: string) {
  const { epoch } = useSession();
  const [run, setRun] = useState<Run>();
  const [error, setError] = useState<Error>();
  const [messages, setMessages] = useState<Log[]>([]);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const load = async () => {
      const params = { path: { id } };
      setRun(await persist(() => answer(api.GET("/v1/runs/{id}", { params, signal: stop.signal })), stop.signal));
    };
    const follow = async () => {
      await load();
      setMessages([]);
      for (let after = 0, done = false; !done && !stop.signal.aborted; ) {
        const params = { path: { id }, query: { after, wait: 20 } };
        const events = await persist(() => answer(api.GET("/v1/runs/{id}/events", { params, signal: stop.signal })), stop.signal);
        after = events.nextAfter;
        done = events.done;
        setMessages((before) => [...before, ...events.items.flatMap(logOf)].slice(-50));
        for (const event of events.items) {
          if (event.event === "progress") setRun((run) => run && { ...run, ...event.data });
        }
        if (events.items.some((event) => event.event === "state")) await load();
      }
    };
    follow().catch((error: unknown) => !stop.signal.aborted && setError(asError(error)));
    return () => stop.abort();
  }, [id, epoch, turn]);
  return { run, error, messages, reload: useCallback(() => setTurn((turn) => turn + 1), []) };
}

function logOf(event: Schema<"RunEventResponse">): Log[] {
  return event.event === "log" ? [{ id: event.id, at: event.at, message: event.data.message }] : [];
}
