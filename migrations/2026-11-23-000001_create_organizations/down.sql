DROP TABLE forge_tokens;
DROP TABLE api_keys;
DROP TABLE organizations;
DROP PROCEDURE entra_assets_protect;
DROP FUNCTION entra_assets_is_system;
DROP FUNCTION entra_assets_organization;
