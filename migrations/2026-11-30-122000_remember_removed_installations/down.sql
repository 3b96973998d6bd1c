DROP TABLE removed_installations;
