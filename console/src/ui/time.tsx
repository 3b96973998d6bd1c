/** Times and numbers in the words of the reader's language settings. */
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const NUMBER = new Intl.NumberFormat();

export const number = (value: number | null | undefined) => (value === null || value === undefined ? "–" : NUMBER.format(value));
export const day = (text: string) => DAY.format(new Date(text));

export function Moment({ at }: { at: string | null | undefined }) {
  if (!at) return <>–</>;
  return (
    <time dateTime={at} title={new Date(at).toISOString()}>
      {MOMENT.format(new Date(at))}
    </time>
  );
}

/** «2 min 5 s». */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function between(from: string | null, to: string | null): string {
  if (!from) return "–";
  return duration((to ? Date.parse(to) : Date.now()) - Date.parse(from));
}

export const daysUntil = (at: string) => Math.ceil((Date.parse(at) - Date.now()) / 86_400_000);

export const plural = (count: number, one: string, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
