/** The steps in Entra, with the ids filled in. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { Copyable, CopyButton, Failure, Loading, Message, OutLink, Tabs } from "../../ui/parts";
import { ManifestCheck } from "./manifest";

type Way = "portal" | "azCli" | "powershell";
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function SetupSteps({ tenantId, clientId, cloud }: { tenantId: string; clientId: string; cloud: Schema<"Cloud"> }) {
  const query = { cloud, clientId: GUID.test(clientId) ? clientId : undefined, tenantId: GUID.test(tenantId) ? tenantId : undefined };
  const setup = useQuery(`setup ${JSON.stringify(query)}`, (signal) => answer(api.GET("/v1/connections/setup", { params: { query }, signal })));
  return (
    <div className="stack">
      <Failure error={setup.error} />
      {setup.data ? <SetupView setup={setup.data} /> : <Loading />}
      <ManifestCheck query={query} />
    </div>
  );
}

/** What somebody sends who may not register the application: the link of a handover belongs to one that is there. */
export function AskForApplication({ tenantId, cloud }: { tenantId: string; cloud: Schema<"Cloud"> }) {
  const query = { cloud, tenantId: GUID.test(tenantId) ? tenantId : undefined };
  const setup = useQuery(`setup ${JSON.stringify(query)}`, (signal) => answer(api.GET("/v1/connections/setup", { params: { query }, signal })));
  return (
    <Message tone="information" title="First ask for the Application (client) ID">
      <p>The link belongs to one application. If there is none yet, send these steps to your Entra administrator, who registers it and sends you its ids. The secret is entered through the link, and never sent.</p>
      <Failure error={setup.error} />
      {setup.data && (
        <details>
          <summary>The steps to send</summary>
          <Copyable label="Steps for the administrator of Entra" text={requestOf(setup.data)} />
        </details>
      )}
    </Message>
  );
}

/** An address with this in it is none before the application has an id. */
const NO_ID = "APPLICATION-CLIENT-ID";

export function requestOf({ steps }: Pick<Schema<"ConnectionSetup">, "steps">): string {
  const texts = steps.map(({ title, text, url }, place) => [`${place + 1}. ${title}`, text, ...(url && !url.includes(NO_ID) ? [url] : [])].join("\n"));
  const ask = "Please register an application in Microsoft Entra ID that reads the directory for an import into Assets, and send me its Application (client) ID and Directory (tenant) ID. Do not send me its secret: I then send you a link to a page where you enter it.";
  return [ask, ...texts].join("\n\n");
}

export function SetupView({ setup }: { setup: Schema<"ConnectionSetup"> }) {
  const [way, setWay] = useState<Way>("portal");
  return (
    <section className="panel" aria-label="Steps in Entra">
      <h2>In Entra</h2>
      <p className="small subtle">An Application Administrator registers the application. Admin consent needs a Privileged Role Administrator.</p>
      <Tabs
        label="Ways to set up the application"
        value={way}
        onChange={setWay}
        tabs={[
          ["portal", "Portal"],
          ["azCli", "Azure CLI"],
          ["powershell", "PowerShell"],
        ]}
      />
      <div role="tabpanel" aria-label={way}>
        {way === "portal" ? <PortalSteps setup={setup} /> : <Copyable label="Commands" text={setup[way]} />}
      </div>
    </section>
  );
}

function PortalSteps({ setup }: { setup: Schema<"ConnectionSetup"> }) {
  return (
    <>
      <ol className="steps">
        {setup.steps.map((step) => (
          <li key={step.title}>
            <div className="stack tight">
              <h3>{step.title}</h3>
              <p>{step.text}</p>
              {step.url && (
                <p>
                  <OutLink to={step.url}>Open this page</OutLink>
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
      <div className="row" style={{ marginTop: 16 }}>
        <OutLink to={setup.consentUrl} button>
          Grant admin consent
        </OutLink>
        <CopyButton text={setup.consentUrl}>Copy the consent link</CopyButton>
      </div>
    </>
  );
}
