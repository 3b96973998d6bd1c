/** Words for values of the API. A value that is newer than this console is shown as its own words. */

/** `administrativeUnits` as «Administrative units». */
export const wordsOf = (key: string) => key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/^./, (first) => first.toUpperCase());

const TYPES: Record<string, string> = { licenses: "Licences", intuneDevices: "Intune devices", appCredentials: "Secrets and certificates of applications" };

export const typeName = (type: string) => TYPES[type] ?? wordsOf(type);

const REASONS: Record<string, string> = {
  changed: "changed in Entra",
  references: "other references",
  mapping: "other settings of the import",
  deleted: "deleted in Entra",
  softDeleted: "in Entra’s recycle bin",
  outOfScope: "no longer matches the filter",
};

export const reasonText = (reason: string) => REASONS[reason] ?? wordsOf(reason).toLowerCase();
