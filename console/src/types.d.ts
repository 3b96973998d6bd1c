declare module "virtual:atlassian-tokens.css";
