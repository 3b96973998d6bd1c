/** The fields of the form of an import, and the bodies that they make. */
import type { Schema } from "../../api/client";
import { cronOf, type Rhythm, rhythmOf } from "./rhythm";

type Job = Schema<"JobResponse">;
export type ObjectType = Schema<"ObjectType">;
export const OBJECT_TYPES: ObjectType[] = ["users", "groups", "licenses", "devices"];

export type Draft = {
  name: string;
  connectionId: string;
  filterId: string;
  destinationId: string;
  enabled: Record<ObjectType, boolean>;
  /** The chosen attributes; null: the defaults. */
  attributes: Record<ObjectType, string[] | null>;
  memberships: Schema<"Memberships">;
  deliver: Schema<"Deliver">;
  policy: Schema<"RemovalPolicy">;
  afterMissingRuns: string;
  brakePercent: string;
  rhythm: Rhythm;
};

const byType = <T>(value: (type: ObjectType) => T) => Object.fromEntries(OBJECT_TYPES.map((type) => [type, value(type)])) as Record<ObjectType, T>;

export function draftOf(job?: Job): Draft {
  return {
    name: job?.name ?? "",
    connectionId: job?.connectionId ?? "",
    filterId: job?.filterId ?? "",
    destinationId: job?.destinationId ?? "",
    enabled: byType((type) => job?.objects[type]?.enabled ?? type !== "devices"),
    attributes: byType((type) => job?.objects[type]?.attributes ?? null),
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
    objects: byType((type) => ({ enabled: draft.enabled[type], attributes: draft.attributes[type] })),
    memberships: draft.memberships,
    deliver: draft.deliver,
    removal: { policy: draft.policy, afterMissingRuns: Number(draft.afterMissingRuns), brakePercent: Number(draft.brakePercent) },
    schedule: cronOf(draft.rhythm),
  };
}
