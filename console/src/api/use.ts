/** Hooks that load and send. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Refused, Unreachable } from "./client";
import { useSession } from "./session";

const RETRY_SECONDS = [1, 1, 2, 3, 5];

/** Whether the service answered the last request of a page. */
let reachable = true;
const listeners = new Set<() => void>();
export function setReachable(value: boolean): void {
  if (value === reachable) return;
  reachable = value;
  listeners.forEach((listener) => listener());
}
export const useReachable = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => reachable,
  );

export type Query<T> = { data: T | undefined; error: Error | undefined; loading: boolean; reload: () => void };

/** Loads again when `key` changes; null loads nothing. While the service is away, it keeps trying. */
export function useQuery<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>): Query<T> {
  const { epoch } = useSession();
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{ key: string | null; data?: T; error?: Error }>({ key: null });
  const newest = useRef(load);
  newest.current = load;
  useEffect(() => {
    if (key === null) return;
    const stop = new AbortController();
    void persist(() => newest.current(stop.signal), stop.signal).then(
      (data) => !stop.signal.aborted && setState({ key, data }),
      (error: unknown) => !stop.signal.aborted && setState({ key, error: asError(error) }),
    );
    return () => stop.abort();
  }, [key, epoch, turn]);
  const reload = useCallback(() => setTurn((turn) => turn + 1), []);
  const current = state.key === key ? state : { key };
  return {
    data: current.data,
    error: current.error,
    loading: key !== null && current.data === undefined && current.error === undefined,
    reload,
  };
}

/** Repeats a request that reads until the service answers it. */
export async function persist<T>(load: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const data = await load();
      setReachable(true);
      return data;
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
      setReachable(false);
      const seconds = RETRY_SECONDS[Math.min(attempt, RETRY_SECONDS.length - 1)] ?? 5;
      await new Promise((done) => setTimeout(done, seconds * 1000));
      if (signal.aborted) throw error;
    }
  }
}

const isPassing = (error: unknown) =>
  error instanceof Unreachable || (error instanceof Refused && error.status === 503 && error.problem.code === "database_unavailable");

export const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** A value that has not changed for a while: what is typed is not asked about letter by letter. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

export type Action<A extends unknown[]> = {
  run: (...args: A) => Promise<void>;
  pending: boolean;
  error: Error | undefined;
  clear: () => void;
};

/** Something that changes data: not repeated, and not started twice at once. */
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<unknown>): Action<A> {
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<Error>();
  const newest = useRef(act);
  newest.current = act;
  const busy = useRef(false);
  const run = useCallback(async (...args: A) => {
    if (busy.current) return;
    busy.current = true;
    setPending(true);
    setError(undefined);
    try {
      await newest.current(...args);
    } catch (error) {
      setError(asError(error));
    } finally {
      busy.current = false;
      setPending(false);
    }
  }, []);
  return { run, pending, error, clear: useCallback(() => setError(undefined), []) };
}
