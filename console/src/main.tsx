import "virtual:atlassian-tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/filter.css";
import "./style/lists.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { startTheme } from "./theme";

startTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
