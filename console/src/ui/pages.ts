/** A list that is shown page by page. */
import { useState } from "react";
import { type Query, useAction, useQuery } from "../api/use";

type Page<T> = { items: T[]; nextCursor: string | null };
export type Pages<T> = { items: T[] | undefined; error: Error | undefined; hasMore: boolean; more: () => void; pending: boolean; reload: () => void };

/** Begins anew when `key` changes; null loads nothing. */
export function usePages<T>(key: string | null, load: (cursor: string | undefined, signal?: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const first: Query<Page<T>> = useQuery(key, (signal) => load(undefined, signal));
  const [further, setFurther] = useState<{ of: Page<T>; items: T[]; next: string | null }>();
  // What was loaded behind another first page does not belong here.
  const current = further && further.of === first.data ? further : undefined;
  const next = current ? current.next : (first.data?.nextCursor ?? null);
  const more = useAction(async () => {
    if (!first.data || next === null) return;
    const page = await load(next);
    setFurther({ of: first.data, items: [...(current?.items ?? []), ...page.items], next: page.nextCursor });
  });
  return {
    items: first.data && [...first.data.items, ...(current?.items ?? [])],
    error: first.error ?? more.error,
    hasMore: next !== null,
    more: () => void more.run(),
    pending: more.pending,
    reload: first.reload,
  };
}
