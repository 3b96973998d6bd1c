/** What differs between two values of an attribute, as it is shown. */
import { excerpt, MOST, valueText } from "./words";

/** `gone` and `come`: "" for nothing. `kept`: how many elements both lists have. */
export type Difference = { gone: string; come: string; kept: number };

/** Whether two values differ, also behind what is shown of them. */
export function differs(before: unknown, after: unknown): boolean {
  if (valueText(before) === "" && valueText(after) === "") return false;
  return key(before) !== key(after);
}

/** Of two lists only what one of them has, unless they differ in their order alone. */
export function difference(before: unknown, after: unknown): Difference {
  if (Array.isArray(before) && Array.isArray(after)) {
    const gone = without(before, after);
    const come = without(after, before);
    if (gone.length + come.length > 0) return { gone: excerpt(valueText(gone)), come: excerpt(valueText(come)), kept: before.length - gone.length };
  }
  const [gone, come] = [valueText(before), valueText(after)];
  const from = firstShown(gone, come);
  return { gone: excerpt(gone, from), come: excerpt(come, from), kept: 0 };
}

const key = (value: unknown) => JSON.stringify(value ?? null);

function without(list: unknown[], others: unknown[]): unknown[] {
  const known = new Set(others.map(key));
  return list.filter((one) => !known.has(key(one)));
}

/** How much of a common beginning is still shown. */
const BEGINNING = 40;

/** Where an excerpt of both begins, so that it has the first place where they differ. */
function firstShown(one: string, other: string): number {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  return same + BEGINNING < MOST ? 0 : same - BEGINNING;
}
