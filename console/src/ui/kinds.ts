/** The kinds of objects that conditions are about, and that are found by name. */
import type { Schema } from "../api/client";

export type Kind = Schema<"EntityKind">;

export const KIND_NAMES: Record<Kind, string> = {
  users: "Users",
  groups: "Groups",
  devices: "Devices",
  applications: "Applications",
  servicePrincipals: "Service principals",
  roles: "Roles",
  administrativeUnits: "Administrative units",
};
export const KINDS = Object.keys(KIND_NAMES) as Kind[];

/** One of the kind: «an application». */
export const ONE: Record<Kind, string> = {
  users: "a user",
  groups: "a group",
  devices: "a device",
  applications: "an application",
  servicePrincipals: "a service principal",
  roles: "a role",
  administrativeUnits: "an administrative unit",
};

/** «service principals», within a sentence. */
export const kindText = (kind: Kind) => KIND_NAMES[kind].toLowerCase();

/** Something of each kind. */
export const byKind = <T>(of: (kind: Kind) => T) => Object.fromEntries(KINDS.map((kind) => [kind, of(kind)])) as Record<Kind, T>;
