/** Words for values of the API. A value that is newer than this console is shown as its own words. */

/** `administrativeUnits` as «Administrative units». */
export const wordsOf = (key: string) => key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/^./, (first) => first.toUpperCase());

const TYPES: Record<string, string> = { licenses: "Licences", intuneDevices: "Intune devices", appCredentials: "Secrets and certificates of applications" };

export const typeName = (type: string) => TYPES[type] ?? wordsOf(type);

const REASONS: Record<string, string> = {
  new: "new in Entra",
  changed: "changed in Entra",
  references: "other references",
  mapping: "other settings of the import",
  deleted: "deleted in Entra",
  softDeleted: "in Entra’s recycle bin",
  outOfScope: "no longer matches the filter",
  seenAgain: "back in Entra",
  sameIdentity: "same identity in Assets",
  sameProperty: "same value in Assets, without an identity yet",
  severalInAssets: "several objects in Assets have this value",
  severalInDirectory: "several objects in Entra have this value",
  otherIdentity: "the object in Assets has another identity",
  noIdentity: "no value for the identity",
};

export const reasonText = (reason: string) => REASONS[reason] ?? wordsOf(reason).toLowerCase();
