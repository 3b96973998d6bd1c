/** What the portal shows, and what to click there. */
import { Lozenge } from "../../ui/parts";

export function DelegatedPicture() {
  return (
    <figure className="portal" aria-labelledby="portal-picture">
      <figcaption id="portal-picture" className="strong">
        In the portal: API permissions → Add a permission → Microsoft Graph. The portal then asks:
      </figcaption>
      <p className="subtle">What type of permissions does your application require?</p>
      <div className="boxes">
        <div className="box wrong">
          <p className="strong">Delegated permissions</p>
          <p className="small">Your application needs to access the API as the signed-in user.</p>
          <p>
            <Lozenge tone="danger">Not this one</Lozenge> <span className="small">It comes first, and has no effect for an import.</span>
          </p>
        </div>
        <div className="box right">
          <p className="strong">Application permissions</p>
          <p className="small">Your application runs as a background service or daemon without a signed-in user.</p>
          <p>
            <Lozenge tone="success">Click this one</Lozenge> <span className="small">Then «Grant admin consent».</span>
          </p>
        </div>
      </div>
      <p className="small subtle">Afterwards the column Type says «Application» and the column Status «Granted» for each permission. The Delegated ones may stay or go: they do nothing.</p>
    </figure>
  );
}
