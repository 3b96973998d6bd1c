/** The fields of the form of an import, and the bodies that they make. */
import type { Schema } from "../../api/client";
import { cronOf, type Rhythm, rhythmOf } from "./rhythm";

type Job = Schema<"JobResponse">;
export type ObjectType = Schema<"ObjectType">;
/** Imported unless somebody says otherwise. */
const USUAL: ObjectType[] = ["users", "groups", "licenses"];

export type Draft = {
  name: string;
  connectionId: string;
  filterId: string;
  destinationId: string;
  /** What differs from how the job is stored. */
  enabled: Partial<Record<ObjectType, boolean>>;
  /** The chosen attributes, where they were changed; null: the defaults. */
  attributes: Partial<Record<ObjectType, string[] | null>>;
  memberships: Schema<"Memberships">;
  deliver: Schema<"Deliver">;
  policy: Schema<"RemovalPolicy">;
  afterMissingRuns: string;
  brakePercent: string;
  rhythm: Rhythm;
};

export function draftOf(job?: Job): Draft {
  return {
    name: job?.name ?? "",
    connectionId: job?.connectionId ?? "",
    filterId: job?.filterId ?? "",
    destinationId: job?.destinationId ?? "",
    enabled: {},
    attributes: {},
    memberships: job?.memberships ?? "onUser",
    deliver: job?.deliver ?? "full",
    policy: job?.removal.policy ?? "keep",
    afterMissingRuns: String(job?.removal.afterMissingRuns ?? 3),
    brakePercent: String(job?.removal.brakePercent ?? 20),
    rhythm: rhythmOf(job?.schedule ?? null),
  };
}

export function bodyOf(draft: Draft) {
  return {
    name: draft.name.trim(),
    connectionId: draft.connectionId,
    filterId: draft.filterId || null,
    destinationId: draft.destinationId || null,
    objects: objectsOf(draft),
    memberships: draft.memberships,
    deliver: draft.deliver,
    removal: { policy: draft.policy, afterMissingRuns: Number(draft.afterMissingRuns), brakePercent: Number(draft.brakePercent) },
    schedule: cronOf(draft.rhythm),
  };
}

export const isEnabled = (type: ObjectType, draft: Draft, job?: Job) => draft.enabled[type] ?? job?.objects[type]?.enabled ?? USUAL.includes(type);
export const attributesOf = (type: ObjectType, draft: Draft, job?: Job) => (type in draft.attributes ? (draft.attributes[type] ?? null) : (job?.objects[type]?.attributes ?? null));

/** Only what was changed: the rest stays as it is stored, also what this console does not know. */
function objectsOf(draft: Draft) {
  const changed = new Set([...Object.keys(draft.enabled), ...Object.keys(draft.attributes)] as ObjectType[]);
  const partOf = (type: ObjectType) => ({
    ...(type in draft.enabled && { enabled: draft.enabled[type] }),
    ...(type in draft.attributes && { attributes: draft.attributes[type] ?? null }),
  });
  return Object.fromEntries([...changed].map((type) => [type, partOf(type)]));
}
