/** A list that is shown page by page. */
import { useState } from "react";
import { asError, type Query, useAction, useQuery } from "../api/use";

type Page<T> = { items: T[]; nextCursor: string | null };
export type Pages<T> = { items: T[] | undefined; error: Error | undefined; hasMore: boolean; more: () => void; pending: boolean; reload: () => void };

/** Begins again when `key` changes; null loads nothing. */
export function usePages<T>(key: string | null, load: (cursor: string | undefined, signal?: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const first: Query<Page<T>> = useQuery(key, (signal) => load(undefined, signal));
  const [further, setFurther] = useState<{ of: Page<T>; items: T[]; next: string | null; error?: Error }>();
  // What was loaded behind another first page does not belong here.
  const current = further && further.of === first.data ? further : undefined;
  const next = current ? current.next : (first.data?.nextCursor ?? null);
  const more = useAction(async () => {
    if (!first.data || next === null) return;
    const [of, items] = [first.data, current?.items ?? []];
    const loaded = await load(next).then(
      (page) => ({ items: [...items, ...page.items], next: page.nextCursor }),
      (error: unknown) => ({ items, next, error: asError(error) }),
    );
    setFurther({ of, ...loaded });
  });
  return {
    items: first.data && [...first.data.items, ...(current?.items ?? [])],
    error: first.error ?? current?.error,
    hasMore: next !== null,
    more: () => void more.run(),
    pending: more.pending,
    reload: first.reload,
  };
}
