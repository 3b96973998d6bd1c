/** The address of the page of one object. */
export const objectPath = (jobId: string, type: string, key: string) => `/objects/${jobId}/${type}/${encodeURIComponent(key)}`;
