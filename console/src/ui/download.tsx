/** Files of the service, which the browser stores. A ticket stands for the key, once. */
import { transport } from "#transport";
import { answer, api } from "../api/client";
import { useAction } from "../api/use";
import { Button, Failure } from "./parts";

export type Format = "xlsx" | "csv" | "json";
const NAMES: Record<Format, string> = { xlsx: "Excel", csv: "CSV", json: "JSON" };

/** `what` is downloaded, in the words of the buttons: «the report». */
export function Downloads({ what, formats, path }: { what: string; formats: Format[]; path: (format: Format) => string }) {
  const download = useAction(async (format: Format) => {
    const ticket = await answer(api.POST("/v1/tickets", { body: { path: path(format) } }));
    transport.download(ticket.url);
  });
  return (
    <>
      {formats.map((format) => (
        <Button key={format} icon="download" onClick={() => void download.run(format)} label={`${NAMES[format]}: download ${what}`}>
          {NAMES[format]}
        </Button>
      ))}
      <Failure error={download.error} />
    </>
  );
}
