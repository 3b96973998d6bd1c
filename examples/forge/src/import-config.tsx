/** The configuration of one import: which of the service's imports fills it, and the way to the console. */
import ForgeReconciler, { Button, ErrorMessage, Label, Link, Select, Stack, Text, useProductContext } from "@forge/react";
import { invokeRemote } from "@forge/bridge";
import React, { useEffect, useState } from "react";

type Named = { id: string; name: string };
type Context = { extension: { importId: string; workspaceId: string } };

async function call(path: string, method: "GET" | "POST" = "GET", body?: unknown): Promise<any> {
  const answer = await invokeRemote({ path, method, headers: { "Content-Type": "application/json" }, body });
  if (answer.status >= 300) throw new Error(answer.body?.detail ?? `The service answered ${answer.status}.`);
  return answer.body;
}

/** A job from the chosen connection into this import, with its object types built: «Import data» is then enabled. */
async function setUp({ extension: { importId, workspaceId } }: Context, connection: Named): Promise<void> {
  const name = `${connection.name} (${importId.slice(0, 8)})`;
  const destination = await call("/v1/destinations", "POST", { kind: "forge", name, workspaceId, importId, missingObjects: "unknown" });
  const job = await call("/v1/jobs", "POST", { name, connectionId: connection.id, destinationId: destination.id });
  await call(`/v1/jobs/${job.id}/schema`, "POST");
}

function ImportConfig() {
  const context = useProductContext() as Context | undefined;
  const [connections, setConnections] = useState<Named[]>([]);
  const [chosen, setChosen] = useState<Named>();
  const [isSetUp, setIsSetUp] = useState(false);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState("");
  const attempt = async (work: () => Promise<void>) => {
    setPending(true);
    setError("");
    await work().catch((fault: Error) => setError(fault.message));
    setPending(false);
  };
  const importId = context?.extension.importId;
  useEffect(() => {
    if (!importId) return;
    void attempt(async () => {
      setConnections((await call("/v1/connections?limit=200")).items);
      setIsSetUp((await call(`/v1/destinations?importId=${importId}&limit=1`)).items.length > 0);
    });
  }, [importId]);
  return (
    <Stack space="space.200">
      <Text>Choose the Microsoft Entra ID tenant that this import reads. The filter, the attributes and the schedule are in the console.</Text>
      {isSetUp ? (
        <Text>This import is set up. Press «Import data» in its menu to start it.</Text>
      ) : (
        <>
          <Label labelFor="connection">Tenant</Label>
          <Select
            id="connection"
            options={connections.map(({ id, name }) => ({ value: id, label: name }))}
            onChange={(option: { value: string } | null) => setChosen(connections.find((one) => one.id === option?.value))}
          />
          <Button
            appearance="primary"
            isDisabled={!chosen || !context || pending}
            onClick={() =>
              void attempt(async () => {
                if (!chosen || !context) return;
                await setUp(context, chosen);
                setIsSetUp(true);
              })
            }
          >
            Set up this import
          </Button>
          {connections.length === 0 && !pending && <Text>No tenant is connected yet. Connect one in the console.</Text>}
        </>
      )}
      {error !== "" && <ErrorMessage>{error}</ErrorMessage>}
      <Link href="/jira/settings/apps">Open the console: Settings → Apps → Microsoft Entra ID import</Link>
    </Stack>
  );
}

ForgeReconciler.render(
  <React.StrictMode>
    <ImportConfig />
  </React.StrictMode>,
);
